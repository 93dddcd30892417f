/** Writes the COPY whose rows are row lines. */
import type { LiveColumn, LiveTable } from './live-table.ts';
import { quoteName, quoteTable, quoteText } from './quote.ts';

/** PostgreSQL takes no more arguments in one call. */
const MOST_ARGUMENTS = 100;
/** Short values that are joined before they go into the line; each `||` copies what is before it. */
const CHAIN = 8;

/**
 * The COPY that writes a table's row lines: one JSON object a row, with the named columns in this order. Numbers
 * and booleans are JSON's, NULL is null, everything else a string holding what the type's own output function
 * writes (not a cast to text, which changes inet and strips char(n)).
 *
 * The object is put together here and sent in binary: row_to_json() looks up the type of every value of every
 * row, and the text formats of COPY search what they send for bytes to quote, of which there are none. No column
 * is trusted to be free of NULL: domains and NOT VALID constraints let it in.
 */
export function exportStatement(live: LiveTable, columns: readonly string[]): string {
  const byName = new Map(live.columns.map((column) => [column.name, column]));
  const found = columns.flatMap((name) => byName.get(name) ?? []);
  const parts = found.flatMap((column, n) =>
    partsOf(column, `${n === 0 ? '{' : ','}${JSON.stringify(column.name)}:`),
  );
  const line = concat(chained([...parts, { text: quoteText(found.length === 0 ? '{}' : '}'), short: true }]));
  return `COPY (SELECT ${line} FROM ONLY ${quoteTable(live.table)} AS t) TO STDOUT (FORMAT binary)`;
}

/** A piece of the line; concat() writes it with the output function of its type, and NULL as nothing. */
interface Part {
  readonly text: string;
  /** It is a text, not NULL and of at most a few hundred bytes. */
  readonly short: boolean;
}

function partsOf(column: LiveColumn, key: string): Part[] {
  const own = `t.${quoteName(column.name)}`;
  const value = column.domainOf === null ? own : `(${own})::${column.domainOf}`;
  const output = `pg_catalog.textin(${column.outputFunction}(${value}))`;
  const none = quoteText(`${key}null`);
  const short = (text: string): Part[] => [{ text: `(${text})`, short: true }];
  const bare = `${quoteText(key)} || ${output}`;
  const quoted = `${quoteText(`${key}"`)} || ${output} || '"'`;
  /** Between quotes, with `before` in front; the value itself is copied only once. */
  const between = (before: string): Part[] => [
    { text: `CASE WHEN ${own} IS NULL THEN ${none} ELSE ${quoteText(`${key}"${before}`)} END`, short: true },
    { text: own, short: false },
    { text: `CASE WHEN ${own} IS NULL THEN '' ELSE '"' END`, short: true },
  ];
  switch (column.writing) {
    case 'BOOLEAN':
      return short(
        `CASE WHEN ${value} THEN ${quoteText(`${key}true`)} WHEN NOT ${value} THEN ${quoteText(`${key}false`)} ELSE ${none} END`,
      );
    case 'INTEGER':
      return short(`coalesce(${bare}, ${none})`);
    case 'NUMBER_OR_NAN':
      return short(`CASE WHEN ${value} <> 'NaN' THEN ${bare} ELSE coalesce(${quoted}, ${none}) END`);
    case 'NUMBER_OR_WORD':
      return short(
        `CASE WHEN ${value} > '-Infinity' AND ${value} < 'Infinity' THEN ${bare} ELSE coalesce(${quoted}, ${none}) END`,
      );
    case 'SHORT_WORD':
      return short(`coalesce(${quoted}, ${none})`);
    case 'WORD':
      return between('');
    case 'BYTES':
      // What byteaout writes begins with a backslash, and holds no other.
      return between('\\');
    case 'TEXT':
      return escaped(key, own);
    case 'OTHER':
      return escaped(key, output);
  }
}

function escaped(key: string, value: string): Part[] {
  return [
    { text: quoteText(key), short: true },
    { text: `coalesce(pg_catalog.to_json(${value}), 'null'::pg_catalog.json)`, short: false },
  ];
}

/** Joins neighbouring short parts: an operator is cheaper than an argument. */
function chained(parts: readonly Part[]): string[] {
  const joined: string[] = [];
  let chain: string[] = [];
  const close = (): void => {
    if (chain.length > 0) joined.push(chain.join(' || '));
    chain = [];
  };
  for (const part of parts) {
    if (!part.short || chain.length === CHAIN) close();
    if (part.short) chain.push(part.text.startsWith('CASE') ? `(${part.text})` : part.text);
    else joined.push(part.text);
  }
  close();
  return joined;
}

function concat(values: readonly string[]): string {
  const [only] = values;
  if (values.length === 1 && only !== undefined) return only;
  if (values.length <= MOST_ARGUMENTS) return `pg_catalog.concat(${values.join(', ')})`;
  const groups: string[] = [];
  for (let start = 0; start < values.length; start += MOST_ARGUMENTS) {
    groups.push(concat(values.slice(start, start + MOST_ARGUMENTS)));
  }
  return concat(groups);
}
