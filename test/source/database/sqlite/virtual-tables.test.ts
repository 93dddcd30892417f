import { execFileSync } from 'node:child_process';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { inDatabase, makeDatabase, putBack, query, takeBackup } from '../../../support/sqlite-database.ts';
import { emptyFile, everythingIn, putWholeBack, takeWholeBackup } from './whole-database.ts';

/** Statements, a query that only the module can answer, and a statement that changes its content. */
const KINDS = [
  [
    'FTS5',
    `CREATE VIRTUAL TABLE v USING fts5(title, body, tokenize = 'porter unicode61');
     INSERT INTO v VALUES ('One', 'running in circles'), ('Zwei', 'größer'); DELETE FROM v WHERE rowid = 1;
     INSERT INTO v (rowid, title) VALUES (77, 'runs')`,
    "SELECT rowid, title, bm25(v) FROM v('run OR größer') ORDER BY rowid",
    "INSERT INTO v VALUES ('more', 'run')",
  ],
  [
    'FTS5 with the content in a table of the application, by rowids nobody named',
    `CREATE TABLE note (body TEXT); INSERT INTO note (rowid, body) VALUES (-3, 'first'), (5, 'second'), (6, 'third'), (90, 'second again');
     CREATE VIRTUAL TABLE v USING fts5(body, content = 'note');
     INSERT INTO v (rowid, body) SELECT rowid, body FROM note;
     CREATE TRIGGER note_text AFTER INSERT ON note BEGIN INSERT INTO v (rowid, body) VALUES (new.rowid, new.body); END`,
    "SELECT rowid, highlight(v, 0, '<', '>') FROM v('second OR first') ORDER BY rowid",
    "INSERT INTO note VALUES ('second to none')",
  ],
  [
    'FTS5 without content',
    `CREATE VIRTUAL TABLE v USING fts5(body, content = '', contentless_delete = 1);
     INSERT INTO v (rowid, body) VALUES (4, 'a b'), (9, 'b c'), (12, 'c d'); DELETE FROM v WHERE rowid = 12`,
    "SELECT rowid FROM v('b OR d') ORDER BY rowid",
    "INSERT INTO v (rowid, body) VALUES (10, 'b')",
  ],
  [
    'FTS4',
    `CREATE VIRTUAL TABLE v USING fts4(body); INSERT INTO v VALUES ('some words'), ('other words')`,
    "SELECT docid, body FROM v WHERE v MATCH 'words' ORDER BY docid",
    "INSERT INTO v VALUES ('words words')",
  ],
  [
    'R*Tree',
    `CREATE VIRTUAL TABLE v USING rtree(id, x0, x1, y0, y1, +label);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
     INSERT INTO v SELECT i, i % 31, i % 31 + 1.5, i % 17, i % 17 + 0.5, 'place ' || i FROM n`,
    'SELECT id, x0, x1, label FROM v WHERE x0 > 10 AND y1 < 4 ORDER BY id',
    "INSERT INTO v VALUES (1000, 11, 12, 1, 2, 'new')",
  ],
  [
    'Geopoly',
    `CREATE VIRTUAL TABLE v USING geopoly(name); INSERT INTO v (_shape, name) VALUES ('[[0,0],[1,0],[0,1],[0,0]]', 'corner')`,
    "SELECT name, geopoly_json(_shape) FROM v WHERE geopoly_overlap(_shape, '[[0,0],[2,0],[0,2],[0,0]]')",
    "INSERT INTO v (_shape, name) VALUES ('[[0,0],[1,0],[1,1],[0,0]]', 'other')",
  ],
] as const;

test.each(KINDS)(
  '%s comes back into an empty file, and works there',
  async (_kind, sql, question, change) => {
    const path = makeDatabase(sql);
    const target = emptyFile();
    await putWholeBack(openSqlite(target), await takeWholeBackup(openSqlite(path)), { mode: 'CREATE' });
    expect(everythingIn(target)).toEqual(everythingIn(path));
    for (const statement of ['', change]) {
      for (const each of [path, target]) inDatabase(each, (db) => db.exec(statement));
      expect(query(path, question).length).toBeGreaterThan(0);
      expect(query(target, question)).toEqual(query(path, question));
    }
  },
);

test.each(KINDS)(
  '%s comes back over a live one that is open meanwhile',
  async (_kind, sql, question, change) => {
    const path = makeDatabase(sql);
    const before = everythingIn(path);
    const database = openSqlite(path);
    const taken = await takeBackup(database);
    const application = new Database(path);
    onTestFinished(() => void application.close());
    const ask = () => application.prepare(question).raw().all();
    const answer = ask();
    application.exec(change);
    expect(ask()).not.toEqual(answer);
    await putBack(database, taken);
    expect(ask()).toEqual(answer);
    expect(everythingIn(path)).toEqual(before);
  },
);

test('REPLACE puts back a virtual table that was dropped, or made with other columns', async () => {
  const path = makeDatabase(
    "CREATE VIRTUAL TABLE a USING fts5(x); INSERT INTO a VALUES ('one'); CREATE VIRTUAL TABLE b USING rtree(id, x0, x1); INSERT INTO b VALUES (1, 2, 3)",
  );
  const before = everythingIn(path);
  const taken = await takeWholeBackup(openSqlite(path));
  inDatabase(path, (db) =>
    db.exec(
      "DROP TABLE a; CREATE VIRTUAL TABLE a USING fts5(x, y, content = '', detail = none); INSERT INTO a VALUES (1, 2); DROP TABLE b",
    ),
  );
  await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
  expect(everythingIn(path)).toEqual(before);
  expect(query(path, "SELECT x FROM a('one')")).toEqual([['one']]);
});

test('a virtual table whose module nobody has is carried with all that it keeps in tables', async () => {
  const path = makeDatabase(
    `CREATE TABLE vec_chunks (id INTEGER PRIMARY KEY, data BLOB); INSERT INTO vec_chunks VALUES (1, x'00ff')`,
    (db) => {
      db.unsafeMode();
      db.pragma('writable_schema = ON');
      db.exec(
        "INSERT INTO sqlite_schema VALUES ('table', 'vec', 'vec', 0, 'CREATE VIRTUAL TABLE vec USING vec0(embedding float[3])')",
      );
    },
  );
  const before = everythingIn(path);
  const taken = await takeWholeBackup(openSqlite(path));
  const target = emptyFile();
  await putWholeBack(openSqlite(target), taken, { mode: 'CREATE' });
  expect(everythingIn(target)).toEqual(before);
  inDatabase(path, (db) => db.exec('ALTER TABLE vec_chunks ADD COLUMN more'));
  await putWholeBack(openSqlite(path), taken, { mode: 'REPLACE' });
  expect(everythingIn(path)).toEqual(before);
});

test('a part of a virtual table is not restored without the others', async () => {
  const path = makeDatabase("CREATE VIRTUAL TABLE v USING fts5(a); INSERT INTO v VALUES ('x')");
  const before = everythingIn(path);
  const database = openSqlite(path);
  await expect(putBack(database, await takeBackup(database), { only: ['v_content'] })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('"v_content" is a part of the virtual table "v"'),
    hint: expect.stringContaining('v_'),
  });
  expect(everythingIn(path)).toEqual(before);
});

test('the sqlite3 of the system reads what was restored', async () => {
  const target = emptyFile();
  const path = makeDatabase("CREATE VIRTUAL TABLE v USING fts5(a); INSERT INTO v VALUES ('needle')");
  await putWholeBack(openSqlite(target), await takeWholeBackup(openSqlite(path)), { mode: 'CREATE' });
  const answer = execFileSync('sqlite3', [
    target,
    "INSERT INTO v (v) VALUES ('integrity-check'); SELECT a FROM v('needle'); PRAGMA integrity_check",
  ]);
  expect(answer.toString()).toBe('needle\nok\n');
});
