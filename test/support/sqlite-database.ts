/** SQLite databases of a test's own, and how it looks into them: by the database itself, not by our code. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type {
  ClearedColumns,
  DatabaseDescription,
  DatabaseRestore,
  DatabaseSnapshot,
  SequenceState,
  Database as Source,
  TableToRestore,
} from '../../src/source/source.ts';
import { chunked } from './sqlite-chunks.ts';

/** A directory that is removed when the test has ended. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A new database made by some SQL; the path of its file. */
export function makeDatabase(sql = '', change: (db: Database.Database) => void = () => {}): string {
  const path = join(temporaryDirectory(), 'application.sqlite');
  inDatabase(path, (db) => {
    // Databases in the wild hold what foreign keys forbid: SQLite does not check them unless told to.
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    change(db);
  });
  return path;
}

/** Opens the database as any application would. */
export function inDatabase<T>(path: string, use: (db: Database.Database) => T): T {
  const db = new Database(path, { timeout: 0 });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** Everything the database says about its content: each value's type, bytes and literal, its schema and counters. */
export function contentOf(path: string): unknown {
  return inDatabase(path, (db) => {
    const tables = db
      .prepare<[], { name: string }>(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name <> 'sqlite_schema' ORDER BY name",
      )
      .all()
      .map(({ name }) => name);
    const content = tables.map((table) => {
      const columns = db
        .prepare<[string], { name: string }>('SELECT name FROM pragma_table_xinfo(?)')
        .all(table)
        .map(({ name }) => `"${name.replaceAll('"', '""')}"`);
      const looks = columns.map(
        (name) => `typeof(${name}), hex(CAST(${name} AS BLOB)), quote(${name}), atan2(0.0, ${name})`,
      );
      const sql = `SELECT ${looks.join(', ')} FROM "${table.replaceAll('"', '""')}"`;
      return [
        table,
        db
          .prepare(sql)
          .raw()
          .all()
          .map((row) => JSON.stringify(row))
          .sort(),
      ];
    });
    const schema = db
      .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
      .raw()
      .all();
    return { content, schema };
  });
}

/** Rows of a query, as arrays. */
export function query(path: string, sql: string): unknown[] {
  return inDatabase(path, (db) => db.prepare(sql).raw().all());
}

/** The row lines of a table as one text. */
export async function linesOf(rows: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of rows) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A backup held in memory. */
export interface Taken {
  readonly description: DatabaseDescription;
  readonly lines: ReadonlyMap<string, string>;
  readonly sequences: readonly SequenceState[];
}

export const unhurried = new AbortController().signal;

/** Reads everything that a backup would. */
export async function takeBackup(database: Source): Promise<Taken> {
  const snapshot = await database.openSnapshot(unhurried);
  try {
    return await readSnapshot(snapshot);
  } finally {
    await snapshot.close();
  }
}

/** Reads every table of a snapshot. */
export async function readSnapshot(snapshot: DatabaseSnapshot): Promise<Taken> {
  const { tables } = snapshot.description;
  const lines = new Map<string, string>();
  for (const table of tables) lines.set(table.name, await linesOf(snapshot.readRows(table, unhurried)));
  const sequences = await snapshot.readSequences(tables, unhurried);
  return { description: snapshot.description, lines, sequences };
}

/** What to restore of a backup; everything unless tables are named. */
export function tablesOf(taken: Taken, only?: readonly string[]): TableToRestore[] {
  return taken.description.tables
    .filter((table) => only === undefined || only.includes(table.name))
    .map((table) => ({
      schema: null,
      name: table.name,
      columns: table.columns.filter((column) => !column.generated).map((column) => column.name),
    }));
}

export interface RestoreSettings {
  readonly only?: readonly string[];
  readonly clearedColumns?: readonly ClearedColumns[];
  readonly lockTimeoutMs?: number;
  readonly restoreId?: string;
}

/** Begins a restore. */
export async function begin(
  database: Source,
  tables: readonly TableToRestore[],
  settings: RestoreSettings = {},
): Promise<DatabaseRestore> {
  const request = {
    tables,
    clearedColumns: settings.clearedColumns ?? [],
    lockTimeoutMs: settings.lockTimeoutMs ?? 1000,
    endSessions: false,
    restoreId: settings.restoreId ?? 'c0ffee00-0000-4000-8000-000000000001',
  };
  return await database.beginRestore(request, unhurried);
}

/** Everything up to the commit; rolls back when it fails. */
export async function loadAll(
  database: Source,
  taken: Taken,
  settings: RestoreSettings = {},
): Promise<DatabaseRestore> {
  const tables = tablesOf(taken, settings.only);
  const restore = await begin(database, tables, settings);
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

/** A whole restore. */
export async function putBack(database: Source, taken: Taken, settings: RestoreSettings = {}): Promise<void> {
  const restore = await loadAll(database, taken, settings);
  await restore.commit();
}
