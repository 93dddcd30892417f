import { expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import { inDatabase, makeDatabase, putBack, takeBackup } from '../../../support/sqlite-database.ts';
import { everythingIn } from './whole-database.ts';

const LAST = 2n ** 63n - 1n;

/** Rowids of several pages without a gap, with one at each place that matters, and up to the last one there is. */
const ROWIDS = [
  ...range(1n, 2500n),
  ...range(2502n, 5000n),
  ...range(9000n, 9001n),
  ...range(9003n, 13_000n).filter((rowid) => rowid % 977n !== 0n),
  ...range(LAST - 2600n, LAST),
];

/** What stands in a row: mostly what its column declares, and sometimes not. */
const ROW = `-r, iif(r % 1009 = 0, 'text', r / 4.0), iif(r % 1501 = 0, x'5b5d', iif(r % 1013 = 0, 7, 't' || r)),
  CASE WHEN r % 1511 = 0 THEN zeroblob(30000) WHEN r % 1487 = 0 THEN CAST(x'ff00' AS TEXT) WHEN r % 3 = 0 THEN NULL ELSE r END`;

test('tables of many pages come back with every gap between their rowids', async () => {
  const path = makeDatabase(
    `CREATE TABLE keyed (id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT, a);
     CREATE TABLE bare (n INTEGER, r REAL, t TEXT, a);
     CREATE INDEX narrower ON bare (n, t, a, r);`,
    (db) => {
      const fill = (table: string, key: string) =>
        db.prepare(
          `WITH one (r) AS (SELECT ?) INSERT INTO ${table} (${key}, n, r, t, a) SELECT r, ${ROW} FROM one`,
        );
      const statements = [fill('keyed', 'id'), fill('bare', 'rowid')];
      db.transaction(() => {
        for (const rowid of ROWIDS) for (const statement of statements) statement.run(rowid);
      })();
      db.exec('ANALYZE');
    },
  );
  const before = everythingIn(path);
  const database = openSqlite(path);
  const taken = await takeBackup(database);

  const keyed = rowsOf(taken.lines.get('keyed'));
  expect(keyed.map((line) => /^\{"id":(\d+),/.exec(line)?.[1])).toEqual(ROWIDS.map(String));
  const bare = rowsOf(taken.lines.get('bare'));
  // A rowid is said where it does not follow the one before.
  const said = ROWIDS.map((rowid, place) =>
    rowid === (ROWIDS[place - 1] ?? 0n) + 1n ? undefined : String(rowid),
  );
  expect(bare.map((line) => /^\{"\$rowid":(\d+),/.exec(line)?.[1])).toEqual(said);
  expect(bare.map((line) => line.slice(line.indexOf('"n":')))).toEqual(
    keyed.map((line) => line.slice(line.indexOf('"n":'))),
  );

  inDatabase(path, (db) => db.exec('DELETE FROM keyed; DELETE FROM bare'));
  await putBack(database, taken);
  expect(everythingIn(path)).toEqual(before);
});

function rowsOf(lines = ''): string[] {
  return lines.split('\n').slice(0, -1);
}

function range(first: bigint, last: bigint): bigint[] {
  return Array.from({ length: Number(last - first) + 1 }, (_, place) => first + BigInt(place));
}
