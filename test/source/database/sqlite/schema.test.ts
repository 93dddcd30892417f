import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import type { SchemaScript } from '../../../../src/source/schema-script.ts';
import {
  inDatabase,
  makeDatabase,
  query,
  temporaryDirectory,
  unhurried,
} from '../../../support/sqlite-database.ts';
import { emptyFile, everythingIn, loadWhole, putWholeBack, takeWholeBackup } from './whole-database.ts';

const LIBRARY = `
  CREATE TABLE author (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
  CREATE TABLE "book" (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES author, title, -- not null?
    half REAL AS (id / 2.0), word TEXT AS (title || '!') STORED);
  CREATE TABLE tag (book_id, tag TEXT COLLATE NOCASE, PRIMARY KEY (book_id, tag)) WITHOUT ROWID;
  CREATE TABLE exact (a INT, b ANY) STRICT;
  CREATE TABLE log (what);
  CREATE UNIQUE INDEX book_title ON book (title COLLATE NOCASE) WHERE title IS NOT NULL;
  CREATE INDEX "book by length" ON book (length(title) DESC, author_id);
  CREATE VIEW titles AS SELECT title, (SELECT count(*) FROM tag) AS tags FROM book;
  CREATE TRIGGER b_second AFTER INSERT ON book BEGIN INSERT INTO log VALUES ('second; ' || new.id); END;
  CREATE TRIGGER a_first AFTER INSERT ON book WHEN new.id > 0 BEGIN INSERT INTO log VALUES ('first'); SELECT 1; END;
  CREATE TRIGGER through INSTEAD OF INSERT ON titles BEGIN INSERT INTO book (title) VALUES (new.title); END;
  INSERT INTO author (name) VALUES ('Ada'), ('Grace');
  INSERT INTO book (author_id, title) VALUES (1, 'Notes'), (2, 'Compilers'), (NULL, NULL);
  INSERT INTO tag VALUES (1, 'x'), (1, 'y');
  INSERT INTO exact VALUES (1, '1'), (NULL, 2.0);
  PRAGMA user_version = 7; PRAGMA application_id = -5;
  ANALYZE`;

/** Everything, except what ANALYZE found: it is no part of a backup. */
function content(path: string): unknown {
  const everything = structuredClone(everythingIn(path)) as {
    rows: Record<string, unknown>;
    schema: unknown[][];
  };
  for (const table of ['sqlite_stat1', 'sqlite_stat4']) delete everything.rows[table];
  return {
    ...everything,
    schema: everything.schema.filter(([, name]) => !String(name).startsWith('sqlite_stat')),
  };
}

test('the structure is the words of the database, tables before the rows and the rest after them', async () => {
  const { schema } = await takeWholeBackup(openSqlite(makeDatabase(LIBRARY)));
  expect(schema.before.map(({ object }) => object)).toEqual([
    'TABLE author',
    'TABLE book',
    'TABLE exact',
    'TABLE log',
    'TABLE tag',
  ]);
  expect(schema.after.map(({ object }) => object)).toEqual([
    'INDEX book_title',
    'INDEX book by length',
    'VIEW titles',
    'TRIGGER b_second',
    'TRIGGER a_first',
    'TRIGGER through',
    'PRAGMA application_id',
    'PRAGMA user_version',
  ]);
  expect(schema.before[1]?.sql).toContain('title, -- not null?\n');
  expect(schema.after.filter(({ compound }) => compound === true)).toHaveLength(3);
  expect(schema.notCarried).toEqual([]);
});

test.each(['CREATE', 'REPLACE'] as const)('%s fills an empty file with everything', async (mode) => {
  const path = makeDatabase(LIBRARY);
  const target = emptyFile();
  const taken = await takeWholeBackup(openSqlite(path));
  await putWholeBack(openSqlite(target), taken, { mode });
  expect(content(target)).toEqual(content(path));
  expect((await takeWholeBackup(openSqlite(target))).schema).toEqual(taken.schema);
  inDatabase(target, (db) => db.exec("INSERT INTO titles (title) VALUES ('new')"));
  inDatabase(path, (db) => db.exec("INSERT INTO titles (title) VALUES ('new')"));
  expect(query(target, 'SELECT * FROM log')).toEqual(query(path, 'SELECT * FROM log'));
});

test('encoding, page size and vacuuming of a new file are those of the old one', async () => {
  const path = makeDatabase(
    `PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA encoding = 'UTF-16be'; ${LIBRARY}`,
  );
  const target = emptyFile();
  await putWholeBack(openSqlite(target), await takeWholeBackup(openSqlite(path)), { mode: 'CREATE' });
  expect(content(target)).toEqual(content(path));
  expect(content(target)).toMatchObject({ header: ['UTF-16be', 7, -5, 1024, 2] });
});

test('a file that was empty is empty again after a failure', async () => {
  const target = emptyFile();
  const taken = await takeWholeBackup(openSqlite(makeDatabase(LIBRARY)));
  const restore = await loadWhole(openSqlite(target), taken, { mode: 'CREATE' });
  await restore.rollback();
  expect(statSync(target).size).toBe(0);
  expect((await openSqlite(target).describe(unhurried)).empty).toBe(true);
});

test('CREATE refuses a database in which something stands', async () => {
  const taken = await takeWholeBackup(openSqlite(makeDatabase(LIBRARY)));
  const path = makeDatabase('CREATE VIEW v AS SELECT 1');
  const before = everythingIn(path);
  await expect(putWholeBack(openSqlite(path), taken, { mode: 'CREATE' })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('not empty'),
  });
  expect(everythingIn(path)).toEqual(before);
});

describe('REPLACE', () => {
  test('puts back what was changed, dropped, renamed and added, and leaves no trace', async () => {
    const path = makeDatabase(LIBRARY);
    const before = content(path);
    const taken = await takeWholeBackup(openSqlite(path));
    inDatabase(path, (db) =>
      db.exec(`PRAGMA foreign_keys = OFF; DROP TRIGGER a_first; DROP VIEW titles; DROP INDEX book_title;
        ALTER TABLE author RENAME COLUMN name TO label; ALTER TABLE exact ADD COLUMN c INT;
        CREATE INDEX later ON author (label); CREATE INDEX book_title ON tag (tag);
        CREATE TRIGGER a_later AFTER DELETE ON tag BEGIN DELETE FROM author; END;
        CREATE VIEW titles AS SELECT 'other'; DROP TABLE log; CREATE VIEW log AS SELECT 'a view now' AS what;
        DELETE FROM book; PRAGMA user_version = 8`),
    );
    await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
    expect(content(path)).toEqual(before);
  });

  test('leaves alone what the bundle does not know, also what points to replaced tables', async () => {
    const path = makeDatabase(LIBRARY);
    const taken = await takeWholeBackup(openSqlite(path));
    inDatabase(path, (db) =>
      db.exec(`ALTER TABLE author ADD COLUMN later;
        CREATE TABLE loan (book REFERENCES book ON DELETE CASCADE, author REFERENCES author (id)); INSERT INTO loan VALUES (1, 2);
        CREATE INDEX loan_book ON loan (book);
        CREATE TRIGGER loan_gone AFTER DELETE ON loan BEGIN DELETE FROM book WHERE later; END;
        CREATE VIEW lent AS SELECT later FROM author JOIN loan ON author.id = loan.author;
        CREATE VIRTUAL TABLE loan_text USING fts5(note); INSERT INTO loan_text VALUES ('kept')`),
    );
    const unknown = () =>
      query(path, "SELECT sql FROM sqlite_schema WHERE tbl_name LIKE 'loan%' OR name = 'lent' ORDER BY name");
    const words = unknown();
    await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
    expect(unknown()).toEqual(words);
    expect(query(path, 'SELECT * FROM loan')).toEqual([[1, 2]]);
    expect(query(path, "SELECT * FROM loan_text('kept')")).toEqual([['kept']]);
    expect(query(path, 'SELECT * FROM author')).toEqual([
      [1, 'Ada'],
      [2, 'Grace'],
    ]);
  });

  test('refuses by name what an unknown table points to and the bundle does not hold', async () => {
    const path = makeDatabase(LIBRARY);
    const taken = await takeWholeBackup(openSqlite(path));
    inDatabase(path, (db) =>
      db.exec(`INSERT INTO author (name) VALUES ('new'); ALTER TABLE author ADD COLUMN later;
        CREATE TABLE loan (author REFERENCES author); INSERT INTO loan VALUES (3)`),
    );
    const before = everythingIn(path);
    await expect(putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('"loan"'),
    });
    expect(everythingIn(path)).toEqual(before);
  });

  test.each([
    [
      'an index',
      'DROP INDEX book_title; CREATE TABLE mine (a); CREATE INDEX book_title ON mine (a)',
      'book_title',
    ],
    [
      'a trigger',
      'DROP TRIGGER a_first; CREATE TABLE mine (a); CREATE TRIGGER a_first AFTER INSERT ON mine BEGIN SELECT 1; END',
      'a_first',
    ],
    [
      'a table where a view is to be',
      'DROP VIEW titles; CREATE TABLE titles (kept); INSERT INTO titles VALUES (1)',
      'titles',
    ],
  ])('refuses to put %s of somebody else away', async (_what, sql, name) => {
    const path = makeDatabase(LIBRARY);
    const taken = await takeWholeBackup(openSqlite(path));
    inDatabase(path, (db) => db.exec(sql));
    const before = everythingIn(path);
    await expect(putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(JSON.stringify(name)),
    });
    expect(everythingIn(path)).toEqual(before);
  });

  test('leaves a table as it stands when its rows are not restored', async () => {
    const path = makeDatabase(LIBRARY);
    const taken = await takeWholeBackup(openSqlite(path));
    inDatabase(path, (db) =>
      db.exec(
        "ALTER TABLE tag ADD COLUMN later DEFAULT 'x'; CREATE INDEX tag_later ON tag (later); DELETE FROM book",
      ),
    );
    const tag = () => [
      query(path, "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'tag' ORDER BY name"),
      query(path, 'SELECT * FROM tag'),
    ];
    const before = tag();
    await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE', only: ['author', 'book'] });
    expect(tag()).toEqual(before);
    expect(query(path, 'SELECT count(*) FROM book')).toEqual([[3]]);
  });
});

test('words in double quotes that mean strings are kept, as sqlite3 takes them', async () => {
  const path = makeDatabase();
  // This build of SQLite refuses them; the one behind sqlite3 does not.
  execFileSync('sqlite3', [
    path,
    `CREATE TABLE t (a CHECK (a <> "it's bad"), b DEFAULT "none");
     CREATE INDEX only_some ON t (a) WHERE b = "none" OR b = "a";
     INSERT INTO t (a) VALUES (1), ("none")`,
  ]);
  const before = everythingIn(path);
  const taken = await takeWholeBackup(openSqlite(path));
  const target = emptyFile();
  await putWholeBack(openSqlite(target), taken, { mode: 'CREATE' });
  expect(everythingIn(target)).toEqual(before);
  await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
  expect(everythingIn(path)).toEqual(before);
  expect(execFileSync('sqlite3', [target, 'PRAGMA integrity_check; SELECT b FROM t']).toString()).toBe(
    'ok\nnone\nnone\n',
  );
});

test.each([
  "ATTACH DATABASE '/tmp/other' AS other",
  'CREATE TABLE t (a); DROP TABLE t',
  'CREATE TABLE other.t (a)',
  'PRAGMA journal_mode = OFF',
  'PRAGMA user_version = 1; DROP TABLE t',
  'DROP TABLE t',
  "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', 'a', 'b', 0, 'CREATE VIRTUAL TABLE a USING fts5(x)')",
])('a statement that is none of a schema is refused and changes nothing: %s', async (sql) => {
  const path = makeDatabase('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
  const before = everythingIn(path);
  const taken = await takeWholeBackup(openSqlite(makeDatabase()));
  const schema: SchemaScript = { before: [{ object: 'TABLE strange', sql }], after: [], notCarried: [] };
  await expect(
    putWholeBack(openSqlite(path), { ...taken, schema }, { mode: 'REPLACE' }),
  ).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  expect(everythingIn(path)).toEqual(before);
});

test('the statements run by hand in sqlite3 make the same structure', async () => {
  const path = makeDatabase(`${LIBRARY}; CREATE VIRTUAL TABLE search USING fts5(body)`);
  const { schema } = await takeWholeBackup(openSqlite(path));
  const target = join(temporaryDirectory(), 'by-hand.sqlite');
  execFileSync('sqlite3', [target], {
    input: [...schema.before, ...schema.after].map(({ sql }) => `${sql};\n`).join(''),
  });
  expect((await takeWholeBackup(openSqlite(target))).schema).toEqual(schema);
});
