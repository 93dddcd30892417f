/** A backup of everything, the structure included, and the oracle that tells whether a database is the same. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SchemaChange, SchemaScript } from '../../../../src/source/schema-script.ts';
import type { DatabaseRestore, Database as Source } from '../../../../src/source/source.ts';
import { chunked } from '../../../support/sqlite-chunks.ts';
import {
  readSnapshot,
  type Taken,
  tablesOf,
  temporaryDirectory,
  unhurried,
} from '../../../support/sqlite-database.ts';

/** Rows and structure of one moment. */
export interface WholeBackup extends Taken {
  readonly schema: SchemaScript;
}

/** Reads everything, the structure too. */
export async function takeWholeBackup(database: Source): Promise<WholeBackup> {
  const snapshot = await database.openSnapshot(unhurried);
  try {
    return { schema: await snapshot.readSchema(unhurried), ...(await readSnapshot(snapshot)) };
  } finally {
    await snapshot.close();
  }
}

/** What to restore of it. */
export interface WholeRestore {
  readonly mode: SchemaChange['mode'];
  /** Everything unless tables are named. */
  readonly only?: readonly string[];
}

/** Everything up to the commit; rolls back when it fails. */
export async function loadWhole(
  database: Source,
  taken: WholeBackup,
  { mode, only }: WholeRestore,
): Promise<DatabaseRestore> {
  const tables = tablesOf(taken, only);
  const restore = await database.beginRestore(
    {
      schema: { mode, script: taken.schema },
      tables,
      clearedColumns: [],
      lockTimeoutMs: 1000,
      endSessions: false,
      restoreId: 'whole-1',
    },
    unhurried,
  );
  try {
    await restore.clear(unhurried);
    for (const table of tables)
      await restore.load(table, chunked(taken.lines.get(table.name) ?? ''), unhurried);
    await restore.finish(taken.sequences, unhurried);
    return restore;
  } catch (error) {
    await restore.rollback();
    throw error;
  }
}

/** A whole restore, the structure included. */
export async function putWholeBack(
  database: Source,
  taken: WholeBackup,
  settings: WholeRestore,
): Promise<void> {
  const restore = await loadWhole(database, taken, settings);
  await restore.commit();
}

/** A file without a byte. */
export function emptyFile(): string {
  const path = join(temporaryDirectory(), 'empty.sqlite');
  writeFileSync(path, '');
  return path;
}

/**
 * Everything that the database itself says: of each value its type, its bytes and its literal, of each row its rowid
 * if it has one that can be asked for, the words of its schema, its counters, and the numbers in its header.
 */
export function everythingIn(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    const tables = db
      .prepare<[], { name: string; wr: number }>(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema' ORDER BY name",
      )
      .all();
    return {
      rows: Object.fromEntries(tables.map(({ name, wr }) => [name, rowsOf(db, name, wr === 1)])),
      schema: db
        .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
        .raw()
        .all(),
      header: ['encoding', 'user_version', 'application_id', 'page_size', 'auto_vacuum'].map((name) =>
        db.pragma(name, { simple: true }),
      ),
      integrity: db.pragma('integrity_check', { simple: true }),
    };
  } finally {
    db.close();
  }
}

function rowsOf(db: Database.Database, table: string, withoutRowid: boolean): string[] {
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const names = db
    .prepare<[string], { name: string }>('SELECT name FROM pragma_table_xinfo(?)')
    .all(table)
    .map(({ name }) => name);
  const taken = new Set(names.map((name) => name.toLowerCase()));
  const rowid = ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
  const looks = names.map((name) => {
    const value = quoted(name);
    return `typeof(${value}), CASE WHEN typeof(${value}) IN ('text', 'blob') THEN hex(CAST(${value} AS BLOB)) ELSE quote(${value}) END, atan2(0.0, ${value})`;
  });
  // Those of SQLite's own counters mean nothing.
  const asked =
    withoutRowid || rowid === undefined || table.startsWith('sqlite_')
      ? looks
      : [`quote(${rowid})`, ...looks];
  return db
    .prepare(`SELECT ${asked.join(', ')} FROM ${quoted(table)}`)
    .raw()
    .all()
    .map((row) => JSON.stringify(row))
    .sort();
}
