/** Restores into a structure that is not the bundle's any more: refused, put back, adapted to, or made anew. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { DatabaseSettings } from '../../src/catalog/catalog.ts';
import type { OnDrift, RestorePlan } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase as createMariadb } from '../support/mariadb-database.ts';
import { createTestDatabase } from '../support/postgres-database.ts';

/** A database to be backed up or restored into. */
interface Target {
  readonly settings: DatabaseSettings;
  execute(...statements: string[]): Promise<void>;
  /** One column of text. */
  column(sql: string): Promise<(string | null)[]>;
  dispose(): Promise<void>;
}

let holdfast: TestEngine;
const targets: Target[] = [];

beforeEach(async () => {
  holdfast = await TestEngine.start();
});

afterEach(async () => {
  await holdfast.remove();
  for (const target of targets.splice(0)) await target.dispose();
});

async function sqliteTarget(): Promise<Target> {
  const path = join(holdfast.root, `app-${targets.length}.sqlite`);
  await writeFile(path, '');
  const open = <T>(use: (database: Database.Database) => T): T => {
    const database = new Database(path);
    try {
      return use(database);
    } finally {
      database.close();
    }
  };
  return {
    settings: { kind: 'SQLITE', path },
    execute: async (...statements) =>
      open((database) => {
        for (const statement of statements) database.exec(statement);
      }),
    column: async (sql) =>
      open((database) =>
        database
          .prepare(sql)
          .pluck()
          .all()
          .map((value) => (value === null ? null : String(value))),
      ),
    dispose: async () => undefined,
  };
}

async function postgresTarget(): Promise<Target> {
  const database = await createTestDatabase(inject('postgresUrl'));
  return {
    settings: { kind: 'POSTGRESQL', url: database.url },
    execute: (...statements) => database.execute(...statements),
    column: async (sql) => (await database.query(sql)).map(([value]) => value ?? null),
    dispose: () => database.dispose(),
  };
}

/** Without a server {@link noServer} is true, and nothing calls this. */
async function mariadbTarget(): Promise<Target> {
  const database = await createMariadb(inject('mariadbUrl') ?? '');
  return {
    settings: { kind: 'MARIADB', url: database.url },
    execute: (...statements) => database.execute(...statements),
    async column(sql) {
      const connection = await database.connect();
      try {
        await connection.query("SET sql_mode = 'PIPES_AS_CONCAT'");
        const rows = await connection.query<(string | null)[][]>(sql);
        return rows.map(([value]) => value ?? null);
      } finally {
        await connection.end();
      }
    },
    dispose: () => database.dispose(),
  };
}

const noServer = inject('mariadbUrl') === null;

/** What the kinds do not say alike. */
interface Dialect {
  readonly dropIndex: string;
  /** How a plan tells of that. */
  readonly indexGone: RegExp;
}

const STANDARD: Dialect = { dropIndex: 'DROP INDEX book_title', indexGone: /REMOVED INDEX .*book_title/ };
/** All indexes of a table are made by one statement, and so are one object. */
const MARIADB: Dialect = { dropIndex: 'DROP INDEX book_title ON book', indexGone: /CHANGED INDEX book$/m };

const LIBRARY = [
  'CREATE TABLE author (id integer PRIMARY KEY, name varchar(40) NOT NULL, born integer)',
  'CREATE TABLE book (id integer PRIMARY KEY, author_id integer NOT NULL REFERENCES author (id), title varchar(100), price numeric(10,2))',
  'CREATE INDEX book_title ON book (title)',
  'CREATE VIEW titles AS SELECT title FROM book',
  "INSERT INTO author VALUES (1, 'Ada', 1815), (2, 'Grace', NULL)",
  "INSERT INTO book VALUES (1, 1, 'Notes', 12.50), (2, 2, 'Compilers', NULL), (3, 2, NULL, 0.99)",
];
const AUTHORS = "SELECT id || ':' || name || ':' || coalesce(born, 0) FROM author ORDER BY id";
const BOOKS = "SELECT id || ':' || author_id || ':' || coalesce(title, '-') FROM book ORDER BY id";

describe.each([
  ['SQLite', sqliteTarget, STANDARD, false],
  ['PostgreSQL', postgresTarget, STANDARD, false],
  ['MariaDB (skipped without a server)', mariadbTarget, MARIADB, noServer],
] as const)('%s', (_kind, makeTarget, { dropIndex, indexGone }, missing) => {
  beforeEach(({ skip }) => skip(missing, 'needs a MariaDB server'));

  async function target(...statements: string[]): Promise<Target> {
    const made = await makeTarget();
    targets.push(made);
    await made.execute(...statements);
    return made;
  }

  async function sourceOf({ settings }: Target, excluded: readonly string[] = []): Promise<string> {
    const source = await holdfast.engine.createSource(holdfast.actor, {
      name: `Library ${targets.length} ${Math.random()}`,
      database: settings,
      excludedTables: excluded.map((name) => ({ schema: schemaOf(settings), name })),
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    return source.id;
  }

  /** A library that was backed up and then changed. */
  async function changed(...statements: string[]) {
    const library = await target(...LIBRARY);
    const { backupId } = await holdfast.backUp(await sourceOf(library));
    await library.execute(...statements);
    return { library, backupId };
  }

  const planOf = async (backupId: string, onDrift: OnDrift): Promise<RestorePlan> =>
    await holdfast.engine.restorePlan(
      holdfast.actor,
      { bundle: { backupId }, sourceId: null, selection: EVERYTHING, onDrift },
      AbortSignal.timeout(20_000),
    );

  const CHANGES = [
    "ALTER TABLE book ADD COLUMN isbn varchar(20) DEFAULT 'none'",
    'ALTER TABLE author DROP COLUMN born',
    dropIndex,
    'CREATE TABLE later (id integer PRIMARY KEY, note varchar(20))',
    "INSERT INTO later VALUES (1, 'stays')",
    'DELETE FROM book WHERE id = 1',
  ];

  test('a changed structure is planned for exactly, and refused before anything is touched', async () => {
    const { library, backupId } = await changed(...CHANGES);
    const plan = await planOf(backupId, 'REFUSE');
    expect(plan.structure).toBe('KEEP');
    expect(plan.refusals).toHaveLength(2);
    expect(plan.refusals.join('\n')).toMatch(/column born .* does not exist any more/);
    expect(plan.refusals.join('\n')).toMatch(/column isbn .* was added since/);
    const objects = plan.schemaDifferences.map(({ object, change }) => `${change} ${object}`).join('\n');
    expect(objects).toMatch(indexGone);
    expect(objects).toMatch(/ADDED TABLE .*later/);
    expect(objects).not.toContain('titles');

    const refused = await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(refused).toMatchObject({ status: 'FAILED', error: { code: 'SCHEMA_MISMATCH' } });
    expect(await library.column(BOOKS)).toEqual(['2:2:Compilers', '3:2:-']);
  });

  test('the old structure is put back, unknown tables stay, and all of it can be undone', async () => {
    const { library, backupId } = await changed(...CHANGES);
    const plan = await planOf(backupId, 'RESTORE_SCHEMA');
    expect(plan).toMatchObject({ structure: 'REPLACE', refusals: [] });
    const restored = await holdfast.restore(
      restoreOf(backupId, { onDrift: 'RESTORE_SCHEMA', planHash: plan.hash }),
    );
    expect(restored.error).toBeNull();
    expect(restored.result).toMatchObject({ targetState: 'WHOLLY_NEW', proven: true, rowsRestored: 5 });
    expect(await library.column(AUTHORS)).toEqual(['1:Ada:1815', '2:Grace:0']);
    expect(await library.column(BOOKS)).toEqual(['1:1:Notes', '2:2:Compilers', '3:2:-']);
    expect(await library.column('SELECT note FROM later')).toEqual(['stays']);
    expect(await library.column('SELECT title FROM titles ORDER BY title')).toContain('Notes');
    const after = await planOf(backupId, 'REFUSE');
    expect(after.schemaDifferences.length).toBeGreaterThan(0);
    for (const { object, change } of after.schemaDifferences) {
      expect({ object, change }).toEqual({ object: expect.stringContaining('later'), change: 'ADDED' });
    }
    expect(after.refusals).toEqual([]);

    const { preRestoreBackupId } = restored.result as { preRestoreBackupId: string };
    const undone = await holdfast.restore(
      restoreOf(preRestoreBackupId, { onDrift: 'RESTORE_SCHEMA', preRestoreBackup: 'NONE' }),
    );
    expect(undone.error).toBeNull();
    expect(await library.column('SELECT isbn FROM book ORDER BY id')).toEqual(['none', 'none']);
    expect(await library.column('SELECT note FROM later')).toEqual(['stays']);
  });

  test('a table of which the bundle has the structure but no rows keeps its rows', async () => {
    const library = await target(
      ...LIBRARY,
      'CREATE TABLE visit (id integer PRIMARY KEY, book_id integer REFERENCES book (id))',
      'INSERT INTO visit VALUES (1, 3)',
    );
    const { backupId } = await holdfast.backUp(await sourceOf(library, ['visit']));
    await library.execute(...CHANGES, 'INSERT INTO visit VALUES (2, 2)');
    const plan = await planOf(backupId, 'RESTORE_SCHEMA');
    expect(plan.untouchedTables.map(({ name }) => name)).toContain('visit');
    const restored = await holdfast.restore(restoreOf(backupId, { onDrift: 'RESTORE_SCHEMA' }));
    expect(restored.error).toBeNull();
    expect(await library.column("SELECT id || ':' || book_id FROM visit ORDER BY id")).toEqual([
      '1:3',
      '2:2',
    ]);
  });

  test('rows go into a changed structure as far as they fit, and the rest is listed', async () => {
    const { library, backupId } = await changed(...CHANGES);
    const plan = await planOf(backupId, 'ADAPT');
    expect(plan.refusals).toEqual([]);
    expect(plan.tables.find((table) => table.name === 'author')?.losses).toEqual([
      expect.stringMatching(/column born .* its values are left out/),
    ]);
    const restored = await holdfast.restore(restoreOf(backupId, { onDrift: 'ADAPT', planHash: plan.hash }));
    expect(restored.error).toBeNull();
    expect(restored.result).toMatchObject({ proven: true, rowsRestored: 5 });
    expect(restored.warnings.join('\n')).toMatch(/born/);
    expect(await library.column("SELECT id || ':' || name FROM author ORDER BY id")).toEqual([
      '1:Ada',
      '2:Grace',
    ]);
    expect(await library.column("SELECT id || ':' || isbn FROM book ORDER BY id")).toEqual([
      '1:none',
      '2:none',
      '3:none',
    ]);
    expect(await library.column('SELECT note FROM later')).toEqual(['stays']);
  });

  test('a table that is gone is listed and left out, and a column that needs values refuses', async () => {
    const { library, backupId } = await changed(
      'DROP VIEW titles',
      'DROP TABLE book',
      "INSERT INTO author (id, name) VALUES (3, 'Eve')",
    );
    const plan = await planOf(backupId, 'ADAPT');
    expect(plan.tables.find((table) => table.name === 'book')).toMatchObject({
      rowsNow: null,
      losses: [expect.stringContaining('left out')],
    });
    const restored = await holdfast.restore(restoreOf(backupId, { onDrift: 'ADAPT' }));
    expect(restored.error).toBeNull();
    expect(await library.column(AUTHORS)).toEqual(['1:Ada:1815', '2:Grace:0']);

    await library.execute(
      'DELETE FROM author',
      'ALTER TABLE author RENAME TO writer',
      'CREATE TABLE author (id integer PRIMARY KEY, name varchar(40) NOT NULL, born integer, code integer NOT NULL)',
    );
    const refused = await holdfast.restore(
      restoreOf(backupId, { onDrift: 'ADAPT', preRestoreBackup: 'NONE' }),
    );
    expect(refused).toMatchObject({ status: 'FAILED', error: { code: 'SCHEMA_MISMATCH' } });
    expect(refused.error?.message).toContain('code');
  });

  test('an empty database gets structure and rows, in a dry run neither', async () => {
    const { backupId } = await changed();
    const empty = await target();
    const sourceId = await sourceOf(empty);
    const request = { bundle: { backupId }, sourceId, selection: EVERYTHING };
    const plan = await holdfast.engine.restorePlan(holdfast.actor, request, AbortSignal.timeout(20_000));
    expect(plan).toMatchObject({ structure: 'CREATE', refusals: [] });
    const order = restoreOf(backupId, { sourceId, allowForeignSource: true });

    expect((await holdfast.restore({ ...order, dryRun: true })).error).toBeNull();
    expect(
      await holdfast.engine.restorePlan(holdfast.actor, request, AbortSignal.timeout(20_000)),
    ).toMatchObject({ structure: 'CREATE' });

    const restored = await holdfast.restore(order);
    expect(restored.error).toBeNull();
    expect(restored.result).toMatchObject({ proven: true, rowsRestored: 5, targetState: 'WHOLLY_NEW' });
    expect(await empty.column(AUTHORS)).toEqual(['1:Ada:1815', '2:Grace:0']);
    expect(await empty.column('SELECT title FROM titles ORDER BY title')).toContain('Compilers');
    const after = await holdfast.engine.restorePlan(holdfast.actor, request, AbortSignal.timeout(20_000));
    expect(after).toMatchObject({ structure: 'KEEP', schemaDifferences: [], refusals: [] });
  });

  test('a structure is put back with all tables of the bundle or not at all', async () => {
    const { backupId } = await changed(...CHANGES);
    const refused = await holdfast.restore(
      restoreOf(backupId, {
        onDrift: 'RESTORE_SCHEMA',
        preRestoreBackup: 'NONE',
        selection: { ...EVERYTHING, tables: [(await planOf(backupId, 'REFUSE')).tables[0] ?? never()] },
      }),
    );
    expect(refused).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_INPUT' } });
  });
});

/** Of the tables in these tests. */
function schemaOf({ kind }: DatabaseSettings): string | null {
  return kind === 'POSTGRESQL' ? 'public' : null;
}

function never(): never {
  throw new Error('the plan has no tables');
}

test('a type that alters values is refused by the proof, one that does not is taken', async () => {
  const library = await postgresTarget();
  targets.push(library);
  await library.execute(...LIBRARY);
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Library',
    database: library.settings,
    excludedTables: [],
    clearedColumns: [],
    trees: [],
    configTrees: [],
    envFile: null,
  });
  const { backupId } = await holdfast.backUp(source.id);
  await library.execute('ALTER TABLE book ALTER COLUMN price TYPE integer');
  const altered = await holdfast.restore(restoreOf(backupId, { onDrift: 'ADAPT' }));
  expect(altered).toMatchObject({ status: 'FAILED', error: { code: 'SCHEMA_MISMATCH' } });
  expect(await library.column('SELECT price::text FROM book ORDER BY id')).toEqual(['13', null, '1']);

  await library.execute('ALTER TABLE book ALTER COLUMN price TYPE text');
  const taken = await holdfast.restore(restoreOf(backupId, { onDrift: 'ADAPT' }));
  expect(taken.error).toBeNull();
  expect(taken.result).toMatchObject({ proven: true });
  expect(await library.column('SELECT price FROM book ORDER BY id')).toEqual(['12.50', null, '0.99']);
});

test.each([
  ['PostgreSQL', postgresTarget, 'ALTER COLUMN born TYPE', 'born::text'],
  ['MariaDB', mariadbTarget, 'MODIFY born', 'born'],
] as const)(
  'a wider type takes every number, one that rounds is refused: %s',
  async (kind, makeTarget, alter, read) => {
    if (kind === 'MariaDB' && noServer) return;
    const library = await makeTarget();
    targets.push(library);
    await library.execute(...LIBRARY);
    const source = await holdfast.engine.createSource(holdfast.actor, {
      name: 'Library',
      database: library.settings,
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    const { backupId } = await holdfast.backUp(source.id);
    await library.execute(`ALTER TABLE author ${alter} numeric(10,2)`);
    const wider = await holdfast.restore(restoreOf(backupId, { onDrift: 'ADAPT', preRestoreBackup: 'NONE' }));
    expect(wider).toMatchObject({ error: null, result: { proven: true } });
    const born = `SELECT ${read} FROM author ORDER BY id`;
    expect(await library.column(born)).toEqual(['1815.00', null]);

    await library.execute('UPDATE author SET born = 1815.5 WHERE id = 1');
    const narrow = await holdfast.backUp(source.id);
    await library.execute(`ALTER TABLE author ${alter} bigint`);
    const rounding = restoreOf(narrow.backupId, { onDrift: 'ADAPT', preRestoreBackup: 'NONE' });
    expect((await holdfast.restore(rounding)).error).toMatchObject({ code: 'SCHEMA_MISMATCH' });
  },
);
