import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { makeDatabase, takeBackup, unhurried } from '../../../support/sqlite-database.ts';

const describeSql = async (sql: string) => await openSqlite(makeDatabase(sql)).describe(unhurried);

test('tables are told with columns, keys and exact numbers of rows', async () => {
  const description = await describeSql(`
    CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x', label TEXT AS (upper(name)));
    CREATE TABLE "Book" (isbn TEXT, edition INT, author INTEGER REFERENCES author, PRIMARY KEY (edition, isbn)) WITHOUT ROWID;
    INSERT INTO author (id) VALUES (1), (2), (3)`);
  expect(description).toMatchObject({ kind: 'SQLITE', databaseName: 'application.sqlite', leftOut: [] });
  expect(description.serverVersion).toMatch(/^3\./);
  expect(description.tables).toEqual([
    {
      schema: null,
      name: 'Book',
      columns: [
        { name: 'isbn', type: 'TEXT', nullable: false, hasDefault: false, generated: false },
        { name: 'edition', type: 'INT', nullable: false, hasDefault: false, generated: false },
        { name: 'author', type: 'INTEGER', nullable: true, hasDefault: false, generated: false },
      ],
      primaryKey: ['edition', 'isbn'],
      foreignKeys: [
        {
          name: 'fk_0',
          columns: ['author'],
          references: { schema: null, name: 'author' },
          referencedColumns: ['id'],
          deferrable: false,
        },
      ],
      rowEstimate: 0,
    },
    {
      schema: null,
      name: 'author',
      columns: [
        { name: 'id', type: 'INTEGER', nullable: false, hasDefault: true, generated: false },
        { name: 'name', type: 'TEXT', nullable: false, hasDefault: true, generated: false },
        { name: 'label', type: 'TEXT', nullable: true, hasDefault: false, generated: true },
      ],
      primaryKey: ['id'],
      foreignKeys: [],
      rowEstimate: 3,
    },
  ]);
});

test('foreign keys name the parent as it is spelled, and say whether they wait for the commit', async () => {
  const { tables } = await describeSql(`
    CREATE TABLE "Parent" (a, "B", PRIMARY KEY (a, "B"));
    CREATE TABLE child (
      x, y, z, w,
      FOREIGN KEY (x, y) REFERENCES PARENT, -- REFERENCES nothing
      FOREIGN KEY (y, x) REFERENCES parent (A, b) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
      FOREIGN KEY (z) REFERENCES child (w) NOT DEFERRABLE INITIALLY DEFERRED,
      FOREIGN KEY (w) REFERENCES gone (id))`);
  const child = tables.find((table) => table.name === 'child');
  expect(
    child?.foreignKeys.map((key) => [
      key.columns,
      key.references.name,
      key.referencedColumns,
      key.deferrable,
    ]),
  ).toEqual([
    [['x', 'y'], 'Parent', ['a', 'B'], false],
    [['y', 'x'], 'Parent', ['a', 'B'], true],
    [['z'], 'child', ['w'], false],
    [['w'], 'gone', ['id'], false],
  ]);
});

test('views and virtual tables are left out with a reason, what virtual tables keep is not, internal tables are not mentioned', async () => {
  const { tables, leftOut } = await describeSql(`
    CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT);
    CREATE INDEX note_body ON note (body);
    INSERT INTO note (body) VALUES ('a');
    ANALYZE;
    CREATE VIEW recent AS SELECT * FROM note;
    CREATE VIRTUAL TABLE search USING fts5(body);
    CREATE VIRTUAL TABLE area USING rtree(id, x0, x1)`);
  expect(tables.map((table) => table.name)).toEqual([
    'area_node',
    'area_parent',
    'area_rowid',
    'note',
    'search_config',
    'search_content',
    'search_data',
    'search_docsize',
    'search_idx',
  ]);
  const reasons = new Map(leftOut.map(({ name, reason }) => [name, reason]));
  expect([...reasons.keys()].sort()).toEqual(['area', 'recent', 'search']);
  expect(reasons.get('recent')).toMatch(/view/);
  expect(reasons.get('search')).toMatch(/the tables that it keeps them in are backed up/);
});

test.each([
  [
    'Prisma',
    "CREATE TABLE _prisma_migrations (id, migration_name, started_at, finished_at, rolled_back_at); INSERT INTO _prisma_migrations VALUES (1, 'b', 2, 3, NULL), (2, 'a', 1, 2, NULL), (3, 'c', 3, NULL, NULL), (4, 'd', 4, 5, 6)",
    ['a', 'b'],
  ],
  [
    'Knex',
    "CREATE TABLE knex_migrations (id INTEGER PRIMARY KEY, name); INSERT INTO knex_migrations VALUES (1, 'z'), (2, 'y')",
    ['z', 'y'],
  ],
  [
    'Django',
    "CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app, name); INSERT INTO django_migrations VALUES (1, 'auth', '0001')",
    ['auth.0001'],
  ],
  [
    'Rails',
    "CREATE TABLE schema_migrations (version); INSERT INTO schema_migrations VALUES ('20240102'), ('20240101')",
    ['20240101', '20240102'],
  ],
  [
    'Drizzle, whose ids are NULL',
    "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash, created_at); INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('b', 2), ('a', 1)",
    ['a', 'b'],
  ],
  [
    'TypeORM',
    "CREATE TABLE migrations (id INTEGER PRIMARY KEY, timestamp, name); INSERT INTO migrations VALUES (1, 20, 'b'), (2, 10, 'a')",
    ['a', 'b'],
  ],
  [
    'Laravel',
    "CREATE TABLE migrations (id INTEGER PRIMARY KEY, migration, batch); INSERT INTO migrations VALUES (2, 'b', 1), (1, 'a', 1)",
    ['a', 'b'],
  ],
  [
    'Flyway',
    "CREATE TABLE flyway_schema_history (installed_rank, script, success); INSERT INTO flyway_schema_history VALUES (1, 'a', 1), (2, 'b', 0)",
    ['a'],
  ],
  [
    'integers and NULL',
    'CREATE TABLE schema_migrations (version); INSERT INTO schema_migrations VALUES (9007199254740993), (NULL)',
    ['9007199254740993'],
  ],
  ['none', 'CREATE TABLE migrations (something_else)', []],
])('applied migrations are found where the tool keeps them: %s', async (_tool, sql, migrations) => {
  expect((await describeSql(sql)).appliedMigrations).toEqual(migrations);
});

test('a database without tables, and an empty file, are empty databases', async () => {
  const database = openSqlite(makeDatabase());
  expect(await database.describe(unhurried)).toMatchObject({ tables: [], empty: true });
  const file = makeDatabase();
  writeFileSync(file, '');
  expect(await openSqlite(file).describe(unhurried)).toMatchObject({ tables: [], empty: true });
  expect((await takeBackup(openSqlite(file))).lines.size).toBe(0);
});

test.each(['CREATE TABLE t (a)', 'CREATE VIEW v AS SELECT 1', 'CREATE VIRTUAL TABLE f USING fts5(a)'])(
  'a database with anything in it is not empty: %s',
  async (sql) => {
    expect((await describeSql(sql)).empty).toBe(false);
  },
);

test('rows are counted exactly, in the order asked for', async () => {
  const path = makeDatabase('CREATE TABLE a (x); CREATE TABLE b (x); INSERT INTO a VALUES (1), (2)');
  const names = ['b', 'a'].map((name) => ({ schema: null, name }));
  expect(await openSqlite(path).countRows(names, unhurried)).toEqual([0, 2]);
});

test('sessions cannot be known', async () => {
  expect(await openSqlite(makeDatabase()).sessions(unhurried)).toBeUndefined();
});
