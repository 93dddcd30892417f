import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres-database.ts';

/** With a digit behind it, as long as PostgreSQL lets names be. */
const COLUMN = 'a_column_whose_name_is_so_long_that_chunks_of_rows_end_in_it_'.padEnd(62, '_');
/** Some twenty chunks of rows, as the bundle gives them: each may end within a name. */
const ROWS = 60_000;

let holdfast: TestEngine;
let database: TestDatabase;

beforeAll(async () => {
  holdfast = await TestEngine.start();
  database = await createTestDatabase(inject('postgresUrl'));
});
afterAll(async () => {
  await holdfast.remove();
  await database.dispose();
});

test('a table of many chunks, one of whose columns is cleared, is proven with every other value', async () => {
  await database.execute(
    `CREATE TABLE wide (id int PRIMARY KEY, ${COLUMN}1 text, ${COLUMN}2 text, ${COLUMN}3 text, ${COLUMN}4 text)`,
    `INSERT INTO wide SELECT n, md5(n::text), n::text, repeat('x', n % 7), 'secret' FROM generate_series(1, ${ROWS}) n`,
  );
  const cleared = `${COLUMN}4`;
  const { id: sourceId } = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Wide',
    database: { kind: 'POSTGRESQL', url: database.url },
    excludedTables: [],
    clearedColumns: [{ table: { schema: 'public', name: 'wide' }, columns: [cleared] }],
    trees: [],
    configTrees: [],
    envFile: null,
  });
  const { backupId } = await holdfast.backUp(sourceId);
  await database.execute(`UPDATE wide SET ${cleared} = NULL`);
  const digest = 'SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) FROM wide t';
  const expected = await database.query(digest);
  await database.execute('DELETE FROM wide');
  const record = await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
  expect(record).toMatchObject({
    status: 'SUCCEEDED',
    error: null,
    result: { rowsRestored: ROWS, proven: true },
  });
  expect(await database.query(digest)).toEqual(expected);
});
