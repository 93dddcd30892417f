import type { SequenceState } from '../../../source.ts';
import { headerValues } from './header-values.ts';
import type { Connection } from './open-database.ts';
import { foldName, quoteName } from './sql-names.ts';
import type { TableLayout } from './table-layout.ts';

/** Exact numbers of rows, in the order of `tables`. */
export function rowCounts(db: Connection, tables: readonly string[]): number[] {
  return tables.map((table) =>
    // count(*) is one number.
    Number(
      db
        .prepare(`SELECT count(*) FROM main.${quoteName(table)}`)
        .pluck()
        .get(),
    ),
  );
}

/** The AUTOINCREMENT counters of tables, and the numbers in the header, which belong to none. */
export function sequencesOf(db: Connection, tables: readonly string[]): SequenceState[] {
  return [...counters(db, tables), ...headerValues(db)];
}

function counters(db: Connection, tables: readonly string[]): SequenceState[] {
  if (!hasSequences(db)) return [];
  const wanted = new Set(tables.map(foldName));
  return db
    .prepare<[], { name: string; seq: bigint }>(
      "SELECT name, seq FROM main.sqlite_sequence WHERE typeof(seq) = 'integer' AND typeof(name) = 'text' ORDER BY rowid",
    )
    .safeIntegers()
    .all()
    .filter((row) => wanted.has(foldName(row.name)))
    .map((row) => ({ schema: null, name: row.name, lastValue: String(row.seq), isCalled: true }));
}

/** True when a table of the database is AUTOINCREMENT, or ever was. */
export function hasSequences(db: Connection): boolean {
  return db.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'").get() !== undefined;
}

/** Databases up to this size are counted, bytes; larger ones estimated. */
const COUNTED_UP_TO = 64 * 1024 * 1024;

/** Numbers of rows by table name: exact for small databases, else SQLite's statistics or the range of rowids. */
export function rowEstimates(db: Connection, layouts: readonly TableLayout[]): Map<string, number> {
  const bytes =
    Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
  const statistics = bytes > COUNTED_UP_TO ? analyzedCounts(db) : new Map<string, number>();
  return new Map(
    layouts.map((layout) => {
      const analyzed = statistics.get(layout.name);
      if (analyzed !== undefined) return [layout.name, analyzed];
      const countIt = bytes <= COUNTED_UP_TO || layout.rowidAlias === undefined;
      return [layout.name, countIt ? (rowCounts(db, [layout.name])[0] ?? 0) : rowidRange(db, layout)];
    }),
  );
}

function rowidRange(db: Connection, layout: TableLayout): number {
  const key = quoteName(layout.rowidAlias ?? 'rowid');
  const table = quoteName(layout.name);
  const range = db
    .prepare(
      // Apart, each is one look at an end of the table; together they would read all of it.
      `SELECT total(1.0 + (SELECT max(${key}) FROM main.${table}) - (SELECT min(${key}) FROM main.${table}))`,
    )
    .pluck()
    .get();
  return Number(range);
}

function analyzedCounts(db: Connection): Map<string, number> {
  if (db.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'").get() === undefined)
    return new Map();
  return new Map(
    db
      .prepare<[], { tbl: string; stat: string }>('SELECT tbl, stat FROM main.sqlite_stat1')
      .all()
      .map(({ tbl, stat }) => [tbl, Number.parseInt(stat, 10) || 0]),
  );
}
