/** A table as the catalog shows it, with what exporting its rows takes. */
import type { Column, Table, TableName } from '../../source.ts';
import { quoteName, quoteTable } from './quote.ts';

/** A column and how its value is written. */
export interface LiveColumn extends Column {
  /** True when row_to_json writes the value as it has to be: numbers, booleans and plain strings. */
  readonly plain: boolean;
  /** The output function of the type, quoted and qualified. */
  readonly outputFunction: string;
  /** For a domain the type beneath it, quoted and qualified; else null. */
  readonly domainOf: string | null;
}

/** A table with its catalog id. */
export interface LiveTable {
  readonly oid: string;
  readonly table: Table;
  readonly columns: readonly LiveColumn[];
  /** The user may read it. */
  readonly readable: boolean;
  readonly rowSecurity: boolean;
}

/**
 * The COPY that writes a table's row lines: one JSON object a row, in column order. Numbers and booleans are
 * JSON's, NULL is null, everything else a string holding what the type's own output function writes (not a cast
 * to text, which changes inet and strips char(n)). In CSV with these two bytes as quote and delimiter nothing is
 * ever quoted: JSON escapes them, and line ends.
 */
export function exportStatement(live: LiveTable, columns: readonly string[]): string {
  const byName = new Map(live.columns.map((column) => [column.name, column]));
  const list = columns.flatMap((name) => {
    const column = byName.get(name);
    return column === undefined ? [] : [`${exportedValue(column)} AS ${quoteName(name)}`];
  });
  return `COPY (SELECT pg_catalog.row_to_json(r.*)::text FROM (SELECT ${list.join(', ')} FROM ONLY ${quoteTable(live.table)} AS t) AS r) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02', ENCODING 'UTF8')`;
}

function exportedValue(column: LiveColumn): string {
  const raw = `t.${quoteName(column.name)}`;
  if (column.plain) return raw;
  const value = column.domainOf === null ? raw : `(${raw})::${column.domainOf}`;
  return `pg_catalog.textin(${column.outputFunction}(${value}))`;
}

/** The columns whose values are carried: all but generated ones. */
export function carriedColumns(live: LiveTable): readonly string[] {
  return live.columns.filter((column) => !column.generated).map((column) => column.name);
}

/** Comma-separated `ONLY` names, for LOCK and TRUNCATE. */
export function onlyList(tables: readonly TableName[]): string {
  return tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ');
}
