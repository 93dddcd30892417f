/**
 * Row lines out of a table. SQLite itself builds the JSON, a page at a time: several times faster than values that
 * cross into JavaScript one by one. What SQLite's JSON cannot say (text that is no text, minus zero) and what would
 * make a page too big goes the slow way, row by row; both ways write the same bytes for the same row.
 */
import { isUtf8 } from 'node:buffer';
import type { Connection } from './open-database.ts';
import { encodingOf, rowLine, slowColumns } from './row-line.ts';
import { isMinusZero, type RowSource, readPages, slowCondition } from './row-pages.ts';
import { carriedRowid, rowidName, saidRowid } from './rowids.ts';
import { quoteName } from './sql-names.ts';
import { columnsOf, layoutOf } from './table-layout.ts';

/** About how big a chunk should be, bytes. */
const CHUNK_BYTES = 256 * 1024;
/** json_object takes at most 500 pairs; far below that a page gains nothing any more. */
const MOST_COLUMNS_IN_A_PAGE = 200;
const NEWLINE = 10;

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
    : packed(slowLines(source, rowid === undefined ? 'true' : `true ORDER BY this.${rowid}`, []));
}

function* pages(source: RowSource, rowid: string): Generator<Buffer, void, undefined> {
  const isSlow = slowCondition(source, (place) => `this.${quoteName(source.columns[place]?.name ?? '')}`);
  for (const { json, first, last, hasGaps } of readPages(source, rowid, CHUNK_BYTES)) {
    // A NUL in a text shows as \u0000, bytes that are no UTF-8 as themselves.
    const plain = isUtf8(json) && !json.includes('\\u0000');
    if (plain && !hasGaps) {
      yield json;
      continue;
    }
    const which = plain ? isSlow : 'true';
    const condition = `this.${rowid} BETWEEN ? AND ? AND (${which}) ORDER BY this.${rowid}`;
    const slow = slowLines(source, condition, [first, last]);
    yield* packed(plain ? interleaved(json, slow) : slow);
  }
}

/** The lines of a page, each empty one filled by the next slow row. */
function* interleaved(
  json: Buffer,
  slow: Iterator<Iterable<Buffer>>,
): Generator<Iterable<Buffer>, void, undefined> {
  try {
    let full = 0;
    for (let start = 0; start < json.length; ) {
      const end = json.indexOf(NEWLINE, start) + 1;
      if (end - start === 1) {
        if (start > full) yield [json.subarray(full, start)];
        const row = slow.next();
        if (row.done !== true) yield row.value;
        full = end;
      }
      start = end;
    }
    if (full < json.length) yield [json.subarray(full)];
  } finally {
    slow.return?.();
  }
}

/** Row by row, each in pieces; a row may be as big as SQLite allows. */
function* slowLines(
  source: RowSource,
  condition: string,
  parameters: readonly bigint[],
): Generator<Iterable<Buffer>, void, undefined> {
  const { db, layout, names, columns, encoding } = source;
  const rowid = carriedRowid(layout);
  const said = rowid === undefined ? 'NULL' : `CAST(${saidRowid(layout, rowid)} AS TEXT)`;
  const rows = db
    .prepare<bigint[], (string | Buffer | null)[]>(
      `SELECT ${said}, ${slowColumns(columns, isMinusZero)} FROM main.${quoteName(layout.name)} AS this WHERE ${condition}`,
    )
    .raw()
    .iterate(...parameters);
  for (const row of rows) yield rowLine(names, row, encoding);
}

/** Chunks of about the size that is sent at once. */
function* packed(rows: Iterable<Iterable<Buffer>>): Generator<Buffer, void, undefined> {
  let pieces: Buffer[] = [];
  let size = 0;
  for (const row of rows) {
    for (const piece of row) {
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
