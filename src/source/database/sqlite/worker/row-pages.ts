/** Pages of row lines, as SQLite writes them. */
import type { Connection } from './open-database.ts';
import type { Encoding } from './row-line.ts';
import { carriedRowid, rowidField, saidRowid } from './rowids.ts';
import { quoteName, quoteText } from './sql-names.ts';
import type { ColumnLayout, TableLayout } from './table-layout.ts';

const FIRST_PAGE_ROWS = 50;
const MOST_ROWS_PER_PAGE = 1000;
const FEWEST_ROWS_PER_PAGE = 8;
/** A row with a value larger than its column's share of this goes the slow way: a page of the others is small. */
const BIG_ROW_BYTES = 16 * 1024;
const SMALLEST_ROWID = -(2n ** 63n);
const NEWLINE = 10;

/** The rows that are read. */
export interface RowSource {
  readonly db: Connection;
  readonly layout: TableLayout;
  /** As the lines spell them. */
  readonly names: readonly string[];
  readonly columns: readonly ColumnLayout[];
  readonly encoding: Encoding;
}

/** Some rows. */
export interface RowPage {
  /** Lines, newlines included; an empty one for each row that goes the slow way. */
  readonly json: Buffer;
  readonly hasGaps: boolean;
  /** Rowids between which the rows are. */
  readonly first: bigint;
  readonly last: bigint;
}

/** What the statement of a page gives. */
interface Found {
  readonly json: Buffer | null;
  readonly first: bigint | null;
  readonly last: bigint | null;
  readonly rows: bigint;
}

const NOTHING: Found = { json: null, first: null, last: null, rows: 0n };

/**
 * Every row of a table, in the order of its rowids.
 *
 * @param rowid - a name of the rowid
 * @param pageBytes - about how big a page should be
 */
export function* readPages(
  source: RowSource,
  rowid: string,
  pageBytes: number,
): Generator<RowPage, void, undefined> {
  const read = pageReader(source, rowid);
  let first = SMALLEST_ROWID;
  let limit = FIRST_PAGE_ROWS;
  for (;;) {
    const { json, last, rows } = read(first, limit);
    if (last === null) return;
    const lines = json ?? Buffer.alloc(0);
    const gaps = hasGaps(lines);
    yield { json: lines, hasGaps: gaps, first, last };
    // Fewer while rows are big, since a page reads those in vain.
    const fitting = gaps ? limit / 2 : Math.min(limit * 2, (pageBytes * Number(rows)) / lines.length);
    limit = Math.max(FEWEST_ROWS_PER_PAGE, Math.min(Math.floor(fitting), MOST_ROWS_PER_PAGE));
    first = last + 1n;
    if (first >= -SMALLEST_ROWID) return;
  }
}

/** Reads one page after the other; rowids are looked at only while they are not the ones to be expected. */
function pageReader(source: RowSource, rowid: string): (first: bigint, limit: number) => Found {
  const prepare = (saysRowids: boolean) => {
    const statement = source.db.prepare<[bigint, number], Found>(pageSql(source, rowid, saysRowids));
    statement.safeIntegers();
    return (first: bigint, limit: number) => statement.get(first, limit) ?? NOTHING;
  };
  const plain = prepare(false);
  if (carriedRowid(source.layout) === undefined) return plain;
  const saying = prepare(true);
  let saysRowids = false;
  // What the next rowid would be if none had to be said.
  let next = 1n;
  return (first, limit) => {
    const page = saysRowids ? saying(first, limit) : plain(first, limit);
    if (page.last === null) return page;
    const isDense = page.first === next && page.last - next + 1n === page.rows;
    next = page.last + 1n;
    const found = isDense || saysRowids ? page : saying(first, limit);
    saysRowids = !isDense;
    return found;
  };
}

function pageSql(source: RowSource, rowid: string, saysRowids: boolean): string {
  const { layout, columns, names } = source;
  // Names of our own, so that none can be mistaken for the rowid or the key.
  const pairs = columns.map((column, place) => {
    const value = `c${place}`;
    // A blob must not get that far: some are taken for JSON. None is less than the empty one, and all else is.
    const json = holdsNumbersOnly(layout, column)
      ? value
      : `CASE WHEN ${value} >= x'' THEN json_object('$blob', hex(${value})) ELSE ${value} END`;
    return `${quoteText(names[place] ?? column.name)}, ${json}`;
  });
  const isSlow = slowCondition(source, (place) => `c${place}`);
  const object = `json_object(${pairs.join(', ')})`;
  const withRowid = `'{"${rowidField(names)}":' || said || ',' || substr(${object}, 2)`;
  const line = `iif(${isSlow}, '', ${saysRowids ? `iif(said IS NULL, ${object}, ${withRowid})` : object})`;
  const selected = columns.map((column, place) => `this.${quoteName(column.name)} AS c${place}`);
  if (saysRowids) selected.push(`${saidRowid(layout, rowid)} AS said`);
  return `SELECT CAST(group_concat(${line}, char(10)) || char(10) AS BLOB) AS json, min(k) AS first, max(k) AS last, count(*) AS rows
    FROM (SELECT this.${rowid} AS k, ${selected.join(', ')} FROM main.${quoteName(layout.name)} AS this
          WHERE this.${rowid} >= ? ORDER BY this.${rowid} LIMIT ?)`;
}

/** SQL that is true for rows that must not go into a page. */
export function slowCondition(source: RowSource, nameOf: (place: number) => string): string {
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
export function isMinusZero(value: string): string {
  return `(typeof(${value}) = 'real' AND ${value} = 0.0 AND atan2(0.0, ${value}) > 1)`;
}

function holdsNumbersOnly(layout: TableLayout, column: ColumnLayout): boolean {
  return (
    column.name === layout.rowidAlias ||
    (layout.strict && ['INT', 'INTEGER', 'REAL'].includes(column.type.toUpperCase()))
  );
}

function hasGaps(json: Buffer): boolean {
  return json[0] === NEWLINE || json.includes('\n\n');
}
