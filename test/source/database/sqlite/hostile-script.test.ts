import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import type { SchemaChange } from '../../../../src/source/schema-script.ts';
import { makeDatabase } from '../../../support/sqlite-database.ts';
import { emptyFile, everythingIn, putWholeBack, takeWholeBackup } from './whole-database.ts';

const outside = join(tmpdir(), `holdfast-outside-${process.pid}.sqlite`);
const quoted = outside.replaceAll("'", "''");

afterEach(() => rmSync(outside, { force: true }));

const HOSTILE = [
  `ATTACH '${quoted}' AS outside`,
  `/* CREATE TABLE t (a) */ ATTACH '${quoted}' AS outside`,
  `VACUUM INTO '${quoted}'`,
  'PRAGMA writable_schema = ON; DELETE FROM sqlite_schema',
  'PRAGMA journal_mode = OFF',
  'PRAGMA synchronous = OFF',
  `PRAGMA temp_store_directory = '/'`,
  "PRAGMA encoding = 'UTF-8'; COMMIT",
  'PRAGMA user_version = 1; COMMIT',
  "SELECT load_extension('x')",
  'COMMIT',
  'END',
  'ROLLBACK',
  'BEGIN',
  'SAVEPOINT x',
  'DROP TABLE kept',
  'DELETE FROM kept',
  "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', 'kept', 'kept', 0, 'CREATE TABLE kept (x)')",
  "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE w USING fts5(a)')",
  'CREATE TEMP TABLE t (a)',
  'CREATE TABLE temp.t (a)',
  'CREATE TEMP TRIGGER t AFTER INSERT ON kept BEGIN DELETE FROM kept; END',
  'CREATE TABLE t (a); COMMIT',
  'CREATE TRIGGER t AFTER INSERT ON kept BEGIN SELECT 1; END; COMMIT',
  'CREATE TRIGGER t AFTER INSERT ON kept BEGIN SELECT 1; END; ATTACH ":memory:" AS x',
  `CREATE TABLE t AS SELECT load_extension('x')`,
  'CREATE TABLE sqlite_stat9 (a)',
  'CREATE TABLE t (a DEFAULT (1)',
  '',
] as const;

for (const mode of ['CREATE', 'REPLACE'] satisfies SchemaChange['mode'][]) {
  test.each(HOSTILE)(`${mode} refuses what no backup writes, and changes nothing: %s`, async (sql) => {
    const source = makeDatabase('CREATE TABLE kept (a UNIQUE); INSERT INTO kept VALUES (1)');
    const taken = await takeWholeBackup(openSqlite(source));
    const path = mode === 'CREATE' ? emptyFile() : source;
    const before = everythingIn(path);
    const half = mode === 'CREATE' ? 'before' : 'after';
    const script = { ...taken.schema, [half]: [...taken.schema[half], { object: 'TABLE t', sql }] };
    await expect(
      putWholeBack(openSqlite(path), { ...taken, schema: script }, { mode }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:INVALID_MANIFEST|SCHEMA_MISMATCH)$/),
    });
    expect(everythingIn(path)).toEqual(before);
    expect(existsSync(outside)).toBe(false);
  });
}
