/** Structures at the edges: without tables, made in part, and tables that were reshaped altogether. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { DatabaseSettings, SourceDefinition } from '../../src/catalog/catalog.ts';
import type { OnDrift, RestorePlan, Selection } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres-database.ts';

let holdfast: TestEngine;
const databases: TestDatabase[] = [];

beforeEach(async () => {
  holdfast = await TestEngine.start();
});

afterEach(async () => {
  await holdfast.remove();
  for (const database of databases.splice(0)) await database.dispose();
});

async function sourceOf(database: DatabaseSettings, change: Partial<SourceDefinition> = {}): Promise<string> {
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: `Library ${Math.random()}`,
    database,
    excludedTables: [],
    clearedColumns: [],
    trees: [],
    configTrees: [],
    envFile: null,
    ...change,
  });
  return source.id;
}

async function postgres(...statements: string[]) {
  const database = await createTestDatabase(inject('postgresUrl'));
  databases.push(database);
  await database.execute(...statements);
  return { database, settings: { kind: 'POSTGRESQL', url: database.url } as const };
}

/** Statements that the owner of a database may not run. */
async function asSuperuser({ url }: TestDatabase, ...statements: string[]): Promise<void> {
  const connection = new URL(inject('postgresUrl'));
  connection.pathname = new URL(url).pathname;
  const client = new Client({ connectionString: connection.href });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function planOf(
  backupId: string,
  sourceId: string | null,
  onDrift: OnDrift = 'REFUSE',
  selection: Selection = EVERYTHING,
): Promise<RestorePlan> {
  const request = { bundle: { backupId }, sourceId, selection, onDrift };
  return await holdfast.engine.restorePlan(holdfast.actor, request, AbortSignal.timeout(20_000));
}

describe('a structure without tables', () => {
  const VIEWS = [
    'CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS $$ SELECT 42 $$',
    'CREATE VIEW answers AS SELECT answer() AS answer',
    'CREATE SEQUENCE numbers START 5',
    "SELECT nextval('numbers')",
  ];

  test('goes into an empty database, and can be put back', async () => {
    const { database, settings } = await postgres(...VIEWS);
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    const empty = await postgres();
    const sourceId = await sourceOf(empty.settings);
    expect(await planOf(backupId, sourceId)).toMatchObject({ structure: 'CREATE', tables: [], refusals: [] });
    const created = await holdfast.restore(restoreOf(backupId, { sourceId, allowForeignSource: true }));
    expect(created.error).toBeNull();
    expect(created.result).toMatchObject({ targetState: 'WHOLLY_NEW', preRestoreBackupId: null });
    expect(await empty.database.query("SELECT answer, nextval('numbers') FROM answers")).toEqual([
      ['42', '6'],
    ]);

    await database.execute('CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS $$ SELECT 0 $$');
    const replaced = await holdfast.restore(restoreOf(backupId, { onDrift: 'RESTORE_SCHEMA' }));
    expect(replaced.error).toBeNull();
    expect(await database.query('SELECT answer FROM answers')).toEqual([['42']]);
  });

  test('is backed up before it is replaced, and the replacement can be undone', async () => {
    const { database, settings } = await postgres('CREATE TABLE book (id int)', ...VIEWS);
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    await database.execute(
      'ALTER TABLE book RENAME TO volume',
      'INSERT INTO volume VALUES (7)',
      'CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS $$ SELECT 0 $$',
    );
    const replaced = await holdfast.restore(restoreOf(backupId, { onDrift: 'RESTORE_SCHEMA' }));
    expect(replaced.error).toBeNull();
    expect(await database.query('SELECT answer FROM answers')).toEqual([['42']]);

    const { preRestoreBackupId } = replaced.result as { preRestoreBackupId: string };
    const undone = await holdfast.restore(
      restoreOf(preRestoreBackupId, { onDrift: 'RESTORE_SCHEMA', preRestoreBackup: 'NONE' }),
    );
    expect(undone.error).toBeNull();
    expect(await database.query('SELECT answer FROM answers')).toEqual([['0']]);
    expect(await database.query('SELECT id FROM volume')).toEqual([['7']]);
  });
});

describe('sequences without tables', () => {
  test('move back over the same structure, which is something to restore', async () => {
    const { database, settings } = await postgres(
      'CREATE SEQUENCE numbers START 5',
      "SELECT nextval('numbers')",
    );
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    await database.execute("SELECT setval('numbers', 99)");
    const restored = await holdfast.restore(restoreOf(backupId));
    expect(restored.error).toBeNull();
    expect(await database.query("SELECT nextval('numbers')")).toEqual([['6']]);
    const selection = { ...EVERYTHING, tables: [] };
    const nothing = await holdfast.restore(restoreOf(backupId, { selection, preRestoreBackup: 'NONE' }));
    expect(nothing.error).toMatchObject({ code: 'NO_OP_RESTORE' });
  });
});

describe('an empty database', () => {
  test('is told that a selection makes every table, and gets the rows of the selected ones', async () => {
    const { settings } = await postgres(
      'CREATE TABLE author (id int PRIMARY KEY)',
      'CREATE TABLE book (id int PRIMARY KEY, author int REFERENCES author)',
      'INSERT INTO author VALUES (1)',
      'INSERT INTO book VALUES (1, 1)',
    );
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    const empty = await postgres();
    const sourceId = await sourceOf(empty.settings);
    const selection = { ...EVERYTHING, tables: [{ schema: 'public', name: 'author' }] };
    const plan = await planOf(backupId, sourceId, 'REFUSE', selection);
    expect(plan.warnings).toContainEqual(expect.stringContaining('every table of the bundle is made'));
    const restored = await holdfast.restore(
      restoreOf(backupId, { sourceId, allowForeignSource: true, selection }),
    );
    expect(restored.error).toBeNull();
    expect(
      await empty.database.query('SELECT (SELECT count(*) FROM author), (SELECT count(*) FROM book)'),
    ).toEqual([['1', '0']]);
  });
});

describe('a table that the structure cannot make again', () => {
  test('is refused by name in an empty database, and the others are restored without it', async () => {
    const { database, settings } = await postgres();
    await asSuperuser(
      database,
      'SET search_path = public',
      'CREATE TYPE word',
      "CREATE FUNCTION word_in(cstring) RETURNS word LANGUAGE internal IMMUTABLE STRICT AS 'textin'",
      "CREATE FUNCTION word_out(word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'",
      'CREATE TYPE word (INPUT = word_in, OUTPUT = word_out, LIKE = text)',
    );
    await database.execute(
      'CREATE TABLE glossary (entry word)',
      'CREATE TABLE "Word.s ""of"" all" (entry word)',
      'CREATE TABLE book (id int)',
      "INSERT INTO glossary VALUES ('one')",
      'INSERT INTO book VALUES (1)',
    );
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    const empty = await postgres();
    const sourceId = await sourceOf(empty.settings);
    const plan = await planOf(backupId, sourceId);
    expect([...plan.refusals].sort()).toEqual([
      expect.stringMatching(/^public\.Word\.s "of" all cannot be made again: .*word/),
      expect.stringMatching(/^public\.glossary cannot be made again: .*word/),
    ]);
    const order = restoreOf(backupId, { sourceId, allowForeignSource: true });
    expect((await holdfast.restore(order)).error).toMatchObject({ code: 'INVALID_INPUT', phase: 'PLAN' });

    const selection = { ...EVERYTHING, tables: [{ schema: 'public', name: 'book' }] };
    const restored = await holdfast.restore({ ...order, selection });
    expect(restored.error).toBeNull();
    expect(await empty.database.query('SELECT id FROM book')).toEqual([['1']]);
  });
});

describe('a refusal for a changed structure', () => {
  test('says how a restore can be had all the same', async () => {
    const { database, settings } = await postgres('CREATE TABLE book (id int)');
    const { backupId } = await holdfast.backUp(await sourceOf(settings));
    await database.execute('ALTER TABLE book ADD COLUMN title text');
    const refused = await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(refused.error).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      hint: expect.stringMatching(/onDrift RESTORE_SCHEMA .*ADAPT/),
    });
  });
});

describe('rows of SQLite are adapted to', () => {
  async function adapted(
    before: string[],
    after: string[],
    read: string,
    change: Partial<SourceDefinition> = {},
  ) {
    const path = join(holdfast.root, 'app.sqlite');
    await writeFile(path, '');
    const use = <T>(work: (database: Database.Database) => T): T => {
      const database = new Database(path);
      try {
        return work(database);
      } finally {
        database.close();
      }
    };
    const execute = (statements: string[]) =>
      use((database) => {
        for (const statement of statements) database.exec(statement);
      });
    execute(before);
    const { backupId } = await holdfast.backUp(await sourceOf({ kind: 'SQLITE', path }, change));
    execute(after);
    const order = restoreOf(backupId, { onDrift: 'ADAPT', preRestoreBackup: 'NONE' });
    const record = await holdfast.restore(order);
    return { record, rows: use((database) => database.prepare(read).raw().all()) };
  }

  const WITH_ROWIDS = [
    'CREATE TABLE book (title TEXT, pages INTEGER)',
    "INSERT INTO book (rowid, title, pages) VALUES (5, 'five', 1), (9, 'nine', 2)",
  ];

  test('a table that got a primary key instead of its rowids', async () => {
    const { record, rows } = await adapted(
      WITH_ROWIDS,
      ['DROP TABLE book', 'CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, pages INTEGER)'],
      'SELECT title, pages FROM book ORDER BY id',
    );
    expect(record.error).toBeNull();
    expect(record.result).toMatchObject({ proven: true, rowsRestored: 2 });
    expect(rows).toEqual([
      ['five', 1],
      ['nine', 2],
    ]);
  });

  test('a table that has no rowids any more', async () => {
    const { record, rows } = await adapted(
      WITH_ROWIDS,
      ['DROP TABLE book', 'CREATE TABLE book (title TEXT NOT NULL PRIMARY KEY, pages INTEGER) WITHOUT ROWID'],
      'SELECT title, pages FROM book ORDER BY pages',
    );
    expect(record.error).toBeNull();
    expect(rows).toEqual([
      ['five', 1],
      ['nine', 2],
    ]);
  });

  test('a table without the column that the source clears', async () => {
    const { record, rows } = await adapted(
      WITH_ROWIDS,
      ['ALTER TABLE book DROP COLUMN pages'],
      'SELECT rowid, title FROM book ORDER BY rowid',
      { clearedColumns: [{ table: { schema: null, name: 'book' }, columns: ['pages'] }] },
    );
    expect(record.error).toBeNull();
    expect(rows).toEqual([
      [5, 'five'],
      [9, 'nine'],
    ]);
  });
});
