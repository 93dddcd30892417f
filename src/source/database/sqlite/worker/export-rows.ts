/**
 * Row lines out of a table. SQLite itself builds the JSON, a page at a time: several times faster than values that
 * cross into JavaScript one by one. What SQLite's JSON cannot say (text that is no text, minus zero) and what would
 * make a page too big goes the slow way, row by row; both ways write the same bytes for the same row.
 */
import { isUtf8 } from 'node:buffer';
import type { Connection } from './open-database.ts';
import { type Encoding, encodingOf, rowLine, slowColumns } from './row-line.ts';
import { foldName, quoteName, quoteText } from './sql-names.ts';
import { type ColumnLayout, columnsOf, layoutOf, type TableLayout } from './table-layout.ts';

/** About how big a chunk should be, bytes. */
const CHUNK_BYTES = 256 * 1024;
const FIRST_PAGE_ROWS = 50;
const MOST_ROWS_PER_PAGE = 1000;
/** A row with a value larger than its column's share of this goes the slow way: a page of the others is small. */
const BIG_ROW_BYTES = 16 * 1024;
/** json_object takes at most 500 pairs; far below that a page gains nothing any more. */
const MOST_COLUMNS_IN_A_PAGE = 200;
const SMALLEST_ROWID = -(2n ** 63n);
const NEWLINE = 10;

interface Export {
  readonly db: Connection;
  readonly layout: TableLayout;
  /** As the lines spell them. */
  readonly names: readonly string[];
  readonly columns: readonly ColumnLayout[];
  readonly encoding: Encoding;
}

/**
 * @param names - columns, in the order of the lines
 * @throws HoldfastError SCHEMA_MISMATCH when table or column is not there
 */
export function exportRows(db: Connection, table: string, names: readonly string[]): Iterable<Buffer> {
  const layout = layoutOf(db, table);
  const source = { db, layout, names, columns: columnsOf(layout, names), encoding: encodingOf(db) };
  const rowid = rowidName(layout);
  return source.encoding === 'UTF-8' && rowid !== undefined && names.length <= MOST_COLUMNS_IN_A_PAGE
    ? pages(source, rowid)
    : slowRows(source, 'true', []);
}

interface Page {
  /** Lines, newlines included; an empty one for each row that goes the slow way. */
  readonly json: Buffer | null;
  readonly last: bigint | null;
  readonly rows: bigint;
}

function* pages(source: Export, rowid: string): Generator<Buffer, void, undefined> {
  const statement = source.db.prepare<[bigint, number], Page>(pageSql(source, rowid)).safeIntegers();
  const isSlow = slowCondition(source, (place) => quoteName(source.columns[place]?.name ?? ''));
  let first = SMALLEST_ROWID;
  let limit = FIRST_PAGE_ROWS;
  for (;;) {
    const page = statement.get(first, limit);
    if (page === undefined || page.last === null) return;
    const json = page.json ?? Buffer.alloc(0);
    // A NUL in a text shows as \u0000, bytes that are no UTF-8 as themselves.
    const plain = isUtf8(json) && !json.includes('\\u0000');
    const gaps = hasGaps(json);
    if (plain) yield* gaps ? fullLines(json) : [json];
    if (!plain || gaps) {
      const which = plain ? isSlow : 'true';
      yield* slowRows(source, `${rowid} BETWEEN ? AND ? AND (${which})`, [first, page.last]);
    }
    limit = nextLimit(limit, Number(page.rows), json.length, gaps);
    first = page.last + 1n;
    if (first >= -SMALLEST_ROWID) return;
  }
}

/** Rows for the next page, from the size of this one; fewer while rows are big, since a page reads them in vain. */
function nextLimit(limit: number, rows: number, bytes: number, gaps: boolean): number {
  if (gaps) return Math.max(8, Math.floor(limit / 2));
  const fitting = Math.floor(CHUNK_BYTES / Math.max(1, bytes / rows));
  return Math.max(8, Math.min(limit * 2, fitting, MOST_ROWS_PER_PAGE));
}

function pageSql(source: Export, rowid: string): string {
  const { layout, columns, names } = source;
  // Names of our own, so that none can be mistaken for the rowid or the key.
  const pairs = columns.map((column, place) => {
    const value = `c${place}`;
    const json = holdsNumbersOnly(layout, column)
      ? value
      : `CASE WHEN typeof(${value}) = 'blob' THEN json_object('$blob', hex(${value})) ELSE ${value} END`;
    return `${quoteText(names[place] ?? column.name)}, ${json}`;
  });
  const isSlow = slowCondition(source, (place) => `c${place}`);
  const line = `iif(${isSlow}, '', json_object(${pairs.join(', ')}))`;
  const selected = columns.map((column, place) => `${quoteName(column.name)} AS c${place}`);
  return `SELECT CAST(group_concat(${line}, char(10)) || char(10) AS BLOB) AS json, max(k) AS last, count(*) AS rows
    FROM (SELECT ${rowid} AS k, ${selected.join(', ')} FROM main.${quoteName(layout.name)}
          WHERE ${rowid} >= ? ORDER BY ${rowid} LIMIT ?)`;
}

/** SQL that is true for rows that must not go into a page. */
function slowCondition(source: Export, nameOf: (place: number) => string): string {
  const share = Math.max(256, Math.floor(BIG_ROW_BYTES / source.columns.length));
  const conditions = source.columns.flatMap((column, place) => {
    if (holdsNumbersOnly(source.layout, column)) return [];
    const value = nameOf(place);
    if (column.affinity === 'TEXT') return [`octet_length(${value}) > ${share}`];
    if (column.affinity !== 'NONE') {
      // octet_length would print every number; text and blobs sort after numbers.
      return [`(${value} >= '' AND octet_length(${value}) > ${share})`];
    }
    return [`octet_length(${value}) > ${share}`, isMinusZero(value)];
  });
  return conditions.length === 0 ? 'false' : conditions.join(' OR ');
}

/** SQLite prints -0.0 as 0.0, but keeps it in columns without affinity. */
function isMinusZero(value: string): string {
  return `(typeof(${value}) = 'real' AND ${value} = 0.0 AND atan2(0.0, ${value}) > 1)`;
}

function holdsNumbersOnly(layout: TableLayout, column: ColumnLayout): boolean {
  return (
    column.name === layout.rowidAlias ||
    (layout.strict && ['INT', 'INTEGER', 'REAL'].includes(column.type.toUpperCase()))
  );
}

/** The rowid by a name that no column has; undefined when there is no such name, or no rowid. */
function rowidName(layout: TableLayout): string | undefined {
  if (layout.withoutRowid) return undefined;
  const taken = new Set(layout.columns.map((column) => foldName(column.name)));
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
}

function hasGaps(json: Buffer): boolean {
  return json[0] === NEWLINE || json.includes('\n\n');
}

function* fullLines(json: Buffer): Generator<Buffer, void, undefined> {
  for (let start = 0; start < json.length; ) {
    const end = json.indexOf(NEWLINE, start) + 1;
    if (end - start > 1) yield json.subarray(start, end);
    start = end;
  }
}

/** Row by row; a row may be as big as SQLite allows. */
function* slowRows(
  source: Export,
  condition: string,
  parameters: readonly bigint[],
): Generator<Buffer, void, undefined> {
  const { db, layout, names, columns, encoding } = source;
  const rows = db
    .prepare<bigint[], (string | Buffer)[]>(
      `SELECT ${slowColumns(columns, isMinusZero)} FROM main.${quoteName(layout.name)} WHERE ${condition}`,
    )
    .raw()
    .iterate(...parameters);
  let pieces: Buffer[] = [];
  let size = 0;
  for (const row of rows) {
    for (const piece of rowLine(names, row, encoding)) {
      pieces.push(piece);
      size += piece.length;
      if (size < CHUNK_BYTES) continue;
      yield Buffer.concat(pieces);
      pieces = [];
      size = 0;
    }
  }
  if (size > 0) yield Buffer.concat(pieces);
}
