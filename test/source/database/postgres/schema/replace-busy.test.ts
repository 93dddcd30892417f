import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import type { SchemaScript } from '../../../../../src/source/schema-script.ts';
import type { Database } from '../../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../../support/postgres-schema.ts';
import type { TakenTables } from '../../../../support/taken-tables.ts';

describe('an application at work while a structure is to be put back', () => {
  let database: TestDatabase;
  let source: Database;
  let taken: TakenTables;
  let script: SchemaScript;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY, name text)',
      'CREATE SEQUENCE ticket',
      'CREATE VIEW names AS SELECT name FROM item',
      `INSERT INTO item SELECT n, 'n' || n FROM generate_series(1, 10) AS n`,
    );
    taken = await take(source);
    script = await scriptOf(database.url);
    await database.execute(
      'ALTER TABLE item ADD extra int',
      'CREATE TABLE later (item int REFERENCES item)',
      'INSERT INTO later VALUES (1)',
      'CREATE VIEW of_later AS SELECT id FROM item',
    );
  });
  afterEach(() => database.dispose());

  const putStructureBack = (lockTimeoutMs: number, endSessions = false) =>
    putBack(source, taken, { schema: { mode: 'REPLACE', script }, lockTimeoutMs, endSessions });

  it.each([
    'SELECT 1 FROM item',
    'SELECT 1 FROM later',
    'LOCK TABLE names IN ACCESS SHARE MODE',
    'LOCK TABLE of_later IN ACCESS SHARE MODE',
    `SELECT nextval('ticket')`,
  ])('is told to be busy, and nothing changes; or is ended: %s', async (statement) => {
    const changed = await scriptOf(database.url);
    const application = await database.connect('shop');
    await application.query('BEGIN');
    await application.query(statement);
    try {
      await expect(putStructureBack(200)).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
      expect(await scriptOf(database.url)).toEqual(changed);
      await putStructureBack(5_000, true);
    } finally {
      await application.end().catch(() => {});
    }
    expect((await scriptOf(database.url)).before).toEqual(
      expect.arrayContaining([...script.before].map((wanted) => expect.objectContaining(wanted))),
    );
    expect(await database.query('SELECT item::text FROM later')).toEqual([['1']]);
  });

  it('does not keep it from ending although the role has timeouts', async () => {
    const before = await contents(database.adminUrl, taken.tables);
    for (const name of ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout']) {
      await database.asAdmin(`ALTER ROLE ${database.owner} SET ${name} = '40ms'`);
    }
    await putStructureBack(5_000);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
  });
});
