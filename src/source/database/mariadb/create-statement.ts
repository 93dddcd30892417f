/** Takes apart what SHOW CREATE TABLE prints, so that keys can be made after the rows. */

/** A table's definition in parts; each part as the server wrote it. */
export interface CreateParts {
  /** `CREATE TABLE` or, for temporary wonders, whatever stands before the name. */
  readonly head: string;
  /** Columns, primary key, checks, periods: what has to be there from the beginning. */
  readonly body: readonly string[];
  /** Secondary indexes. */
  readonly indexes: readonly string[];
  /** `CONSTRAINT … FOREIGN KEY …` */
  readonly foreignKeys: readonly string[];
  /** Engine, charset, partitions; without AUTO_INCREMENT. */
  readonly tail: string;
}

/** A foreign key as its definition tells it. */
export interface KeyDefinition {
  readonly name: string;
  readonly columns: readonly string[];
  readonly schema: string | null;
  readonly table: string;
  readonly referencedColumns: readonly string[];
  /** `ON DELETE … ON UPDATE …`, or nothing. */
  readonly actions: string;
  readonly sql: string;
}

const NAME = '`(?:[^`]|``)+`';
const NAMES = `${NAME}(?:, ?${NAME})*`;
const FOREIGN_KEY = new RegExp(
  `^CONSTRAINT (${NAME}) FOREIGN KEY (?:${NAME} )?\\((${NAMES})\\) REFERENCES (?:(${NAME})\\.)?(${NAME}) \\((${NAMES})\\)`,
  's',
);

/**
 * Splits the text of SHOW CREATE TABLE.
 * @throws Error when it is none.
 */
export function splitCreateTable(sql: string): CreateParts {
  const opening = new RegExp(`^(CREATE TABLE) ${NAME} \\(`, 's').exec(sql);
  if (opening === null) throw new Error('this is no CREATE TABLE statement as the server prints it');
  const { items, end } = itemsFrom(sql, opening[0].length);
  const counting = items.find((item) => /^`/.test(item) && / AUTO_INCREMENT\b/.test(withoutTexts(item)));
  const counter = counting === undefined ? undefined : new RegExp(`^${NAME}`, 's').exec(counting)?.[0];
  const body: string[] = [];
  const indexes: string[] = [];
  const foreignKeys: string[] = [];
  for (const item of items) {
    if (FOREIGN_KEY.test(item)) foreignKeys.push(item);
    else if (/^(UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY /.test(item) && !isKeyOf(item, counter))
      indexes.push(item);
    else body.push(item);
  }
  return { head: 'CREATE TABLE', body, indexes, foreignKeys, tail: withoutCounter(sql.slice(end + 1)) };
}

/** The additions of an `ALTER TABLE … ADD …, ADD …` of {@link CreateParts.indexes}, `ADD …` each. */
export function splitAdditions(sql: string): readonly string[] {
  const opening = new RegExp(`^ALTER TABLE ${NAME}\\s+`, 's').exec(sql)?.[0] ?? '';
  return itemsFrom(`${sql})`, opening.length).items;
}

/** What stands between the commas of the outermost parentheses, which open before `start`, and where they close. */
function itemsFrom(sql: string, start: number): { items: string[]; end: number } {
  const items: string[] = [];
  let depth = 0;
  let begin = start;
  let at = start;
  for (; at < sql.length && depth >= 0; at += 1) {
    const character = sql[at] ?? '';
    if ('`\'"'.includes(character)) at = endOfQuoted(sql, at);
    else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === ',' && depth === 0) {
      items.push(sql.slice(begin, at).trim());
      begin = at + 1;
    }
  }
  const end = at - 1;
  items.push(sql.slice(begin, end).trim());
  return { items, end };
}

/** The statement that makes the table under a name, without secondary indexes and foreign keys. */
export function createTableSql(parts: CreateParts, name: string): string {
  return `${parts.head} ${name} (\n  ${parts.body.join(',\n  ')}\n)${parts.tail}`;
}

/** Puts another name into a statement that {@link createTableSql} made. */
export function renameCreateTable(sql: string, name: string): string {
  return sql.replace(new RegExp(`^CREATE TABLE ${NAME} \\(`, 's'), () => `CREATE TABLE ${name} (`);
}

/** Reads a foreign key's definition; undefined when it is none. */
export function parseForeignKey(definition: string): KeyDefinition | undefined {
  const match = FOREIGN_KEY.exec(definition);
  if (match === null) return undefined;
  const [, name = '', columns = '', schema, table = '', referenced = ''] = match;
  return {
    name: unquote(name),
    columns: unquoteList(columns),
    schema: schema === undefined ? null : unquote(schema),
    table: unquote(table),
    referencedColumns: unquoteList(referenced),
    actions: definition.slice(match[0].length).trim(),
    sql: definition,
  };
}

/** The name that a quoted identifier stands for. */
export function unquote(name: string): string {
  return name.slice(1, -1).replaceAll('``', '`');
}

function unquoteList(list: string): string[] {
  return (list.match(new RegExp(NAME, 'gs')) ?? []).map(unquote);
}

/** A counting column needs its key at once. */
function isKeyOf(item: string, column: string | undefined): boolean {
  return (
    column !== undefined && item.replace(/^(UNIQUE )?KEY (?:`(?:[^`]|``)+` )?/s, '').startsWith(`(${column}`)
  );
}

/** The index of the closing quote; a doubled one does not close, nor does one behind a backslash (but in names). */
function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start];
  let at = start + 1;
  for (; at < sql.length; at += 1) {
    if (sql[at] === '\\' && quote !== '`') at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at;
      at += 1;
    }
  }
  return at;
}

function withoutTexts(item: string): string {
  let rest = '';
  for (let at = 0; at < item.length; at += 1) {
    const character = item[at] ?? '';
    if (character === "'" || character === '`' || character === '"') at = endOfQuoted(item, at);
    else rest += character;
  }
  return rest;
}

/** AUTO_INCREMENT is a counter's state, no structure; it stands before anything that is text. */
function withoutCounter(tail: string): string {
  return tail.replace(/^([^'`"]*?) AUTO_INCREMENT=\d+/, '$1');
}
