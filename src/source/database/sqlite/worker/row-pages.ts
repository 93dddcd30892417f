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

/**
 * Reads one page after the other. While rowids follow one another without a gap, they are counted and not looked at;
 * where they are carried, they are said only while they are not the ones to be expected.
 */
function pageReader(source: RowSource, rowid: string): (first: bigint, limit: number) => Found {
  const carried = carriedRowid(source.layout) !== undefined;
  const plain = limited(source, rowid, false);
  const saying = carried ? limited(source, rowid, true) : plain;
  const between = gapless(source, rowid);
  let saysRowids = false;
  let isGapless = false;
  // What the next rowid would be if none had to be said.
  let next = 1n;
  return (first, limit) => {
    if (isGapless) {
      const page = between(first, limit);
      isGapless = page.rows === BigInt(limit);
      // A rowid behind a gap has to be said.
      if (page.last !== null && (isGapless || !carried)) {
        next = page.last + 1n;
        return page;
      }
    }
    const page = saysRowids ? saying(first, limit) : plain(first, limit);
    if (page.last === null || page.first === null) return page;
    isGapless = page.last - page.first + 1n === page.rows && (!carried || page.first === next);
    next = page.last + 1n;
    const found = isGapless || saysRowids || !carried ? page : saying(first, limit);
    saysRowids = carried && !isGapless;
    return found;
  };
}

/** Reads so many rows from a rowid on. */
function limited(source: RowSource, rowid: string, saysRowids: boolean) {
  const { layout, columns, names } = source;
  // Names of our own, so that none can be mistaken for the rowid or the key.
  const nameOf = (place: number) => `c${place}`;
  const selected = columns.map((column, place) => `this.${quoteName(column.name)} AS ${nameOf(place)}`);
  if (saysRowids) selected.push(`${saidRowid(layout, rowid)} AS said`);
  const said = `'{"${rowidField(names)}":' || said || ','`;
  const line = lineSql(source, nameOf, (object) =>
    saysRowids ? `iif(said IS NULL, ${object}, ${said} || substr(${object}, 2))` : object,
  );
  const statement = source.db.prepare<[bigint, number], Found>(
    `SELECT ${linesSql(line)} AS json, min(k) AS first, max(k) AS last, count(*) AS rows
     FROM (SELECT this.${rowid} AS k, ${selected.join(', ')} FROM main.${quoteName(layout.name)} AS this
           WHERE this.${rowid} >= ? ORDER BY this.${rowid} LIMIT ?)`,
  );
  statement.safeIntegers();
  return (first: bigint, limit: number): Found => statement.get(first, limit) ?? NOTHING;
}

/** Reads the rows of so many rowids: a third faster, for rows that stay where they are and rowids that are not asked for. */
function gapless(source: RowSource, rowid: string) {
  const { db, layout, columns } = source;
  const line = lineSql(
    source,
    (place) => `this.${quoteName(columns[place]?.name ?? '')}`,
    (object) => object,
  );
  const statement = db.prepare<[bigint, bigint], Pick<Found, 'json' | 'rows'>>(
    // An index that has all the columns would give another order.
    `SELECT ${linesSql(line)} AS json, count(*) AS rows FROM main.${quoteName(layout.name)} AS this NOT INDEXED
     WHERE this.${rowid} BETWEEN ? AND ?`,
  );
  statement.safeIntegers();
  return (first: bigint, limit: number): Found => {
    const last = first + BigInt(limit) - 1n;
    const found = last < -SMALLEST_ROWID ? statement.get(first, last) : undefined;
    return found === undefined || found.rows === 0n ? NOTHING : { ...found, first, last };
  };
}

function linesSql(line: string): string {
  return `CAST(group_concat(${line}, char(10)) || char(10) AS BLOB)`;
}

/** @param finished - SQL for the line of a row, of SQL for its object */
function lineSql(
  source: RowSource,
  nameOf: (place: number) => string,
  finished: (object: string) => string,
): string {
  const { layout, columns, names } = source;
  const object = (jsonOf: (column: ColumnLayout, value: string) => string): string => {
    const pairs = columns.map(
      (column, place) => `${quoteText(names[place] ?? column.name)}, ${jsonOf(column, nameOf(place))}`,
    );
    return finished(`json_object(${pairs.join(', ')})`);
  };
  // A blob must not get that far: some are taken for JSON.
  const anyType = (column: ColumnLayout, value: string) =>
    holdsNumbersOnly(layout, column)
      ? value
      : `CASE WHEN ${isBlob(value)} THEN json_object('$blob', hex(${value})) ELSE ${value} END`;
  const declaredType = (column: ColumnLayout, value: string) =>
    column.affinity === 'NONE' ? anyType(column, value) : value;
  const isSlow = slowCondition(source, nameOf);
  const strange = columns.flatMap((column, place) => {
    const value = nameOf(place);
    if (column.affinity === 'NONE' || holdsNumbersOnly(layout, column)) return [];
    // Numbers sort before text and blobs.
    return [column.affinity === 'TEXT' ? isBlob(value) : `${value} >= ''`];
  });
  const big = slowCondition(
    source,
    nameOf,
    (column) => column.affinity === 'TEXT' || column.affinity === 'NONE',
  );
  const each = `iif(${isSlow}, '', ${object(anyType)})`;
  return `iif(${[big, ...strange].join(' OR ')}, ${each}, ${object(declaredType)})`;
}

/** None is less than the empty one, and all else is. */
function isBlob(value: string): string {
  return `${value} >= x''`;
}

/** SQL that is true for rows that must not go into a page. */
export function slowCondition(
  source: RowSource,
  nameOf: (place: number) => string,
  among: (column: ColumnLayout) => boolean = () => true,
): string {
  const share = Math.max(256, Math.floor(BIG_ROW_BYTES / source.columns.length));
  const conditions = source.columns.flatMap((column, place) => {
    if (holdsNumbersOnly(source.layout, column) || !among(column)) return [];
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
