import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { drain, requestIds, waitUntilBlocked } from '../../../support/postgres-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';

const never = new AbortController().signal;

describe('a PostgreSQL source that others are using', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY)',
      'INSERT INTO item SELECT generate_series(1, 1000)',
    );
  });
  afterEach(() => database.dispose());

  it('keeps tables from being dropped or emptied while a snapshot is open', async () => {
    const snapshot = await source.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    for (const statement of ['DROP TABLE item', 'TRUNCATE item', 'ALTER TABLE item ALTER id TYPE text']) {
      await expect(database.execute("SET lock_timeout = '50ms'", statement)).rejects.toThrow(/lock timeout/);
    }
    expect(await drain(snapshot.readRows(table, never))).toBeGreaterThan(1000);
    await snapshot.close();
    await database.execute('DROP TABLE item');
  });

  it('is backed up whole when somebody empties and fills a table just as the snapshot is opened', async () => {
    const other = await database.connect();
    await other.query('BEGIN');
    await other.query('TRUNCATE item');
    await other.query('INSERT INTO item VALUES (7)');
    const opening = source.openSnapshot(never);
    await waitUntilBlocked(database, 'holdfast');
    await other.query('COMMIT');
    await other.end();
    const snapshot = await opening;
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    expect(await drain(snapshot.readRows(table, never))).toBe('{"id":7}\n'.length);
    await snapshot.close();
  });

  it('is backed up without a table that is dropped just as the snapshot is opened', async () => {
    await database.execute('CREATE TABLE doomed (id int)');
    const other = await database.connect();
    await other.query('BEGIN');
    await other.query('DROP TABLE doomed');
    const opening = source.openSnapshot(never);
    await waitUntilBlocked(database, 'holdfast');
    await other.query('COMMIT');
    await other.end();
    const snapshot = await opening;
    expect(snapshot.description.tables.map((table) => table.name)).toEqual(['item', 'pg_largeobject']);
    await snapshot.close();
  });

  it('names the session that keeps a table locked when a snapshot is wanted', async () => {
    const other = await database.connect('nightly-migration');
    await other.query('BEGIN');
    await other.query('LOCK TABLE item');
    await expect(openPostgres(database.url, { lockTimeoutMs: 50 }).openSnapshot(never)).rejects.toMatchObject(
      {
        code: 'SOURCE_BUSY',
        message: expect.stringContaining('nightly-migration'),
      },
    );
    expect((await source.describe(never)).tables).toHaveLength(2);
    await other.end();
  });

  it('names the application that keeps tables locked when a restore is wanted', async () => {
    const other = await database.connect('the web application');
    await other.query('BEGIN');
    await other.query('SELECT FROM item LIMIT 1');
    await expect(source.beginRestore(requestIds(['item']), never)).rejects.toMatchObject({
      code: 'SOURCE_BUSY',
      message: expect.stringContaining('the web application'),
      hint: expect.stringContaining('endSessions'),
    });
    expect(await source.sessions(never)).toMatchObject([
      { application: 'the web application', user: database.owner, state: 'idle in transaction' },
    ]);
    await other.end();
  });

  it("ends the application's sessions when asked to", async () => {
    const other = await database.connect('the web application');
    await other.query('BEGIN');
    await other.query('SELECT FROM item LIMIT 1');
    const restore = await source.beginRestore(requestIds(['item'], { endSessions: true }), never);
    await expect(other.query('SELECT 1')).rejects.toThrow();
    await restore.rollback();
    expect(await source.sessions(never)).toEqual([]);
  });
});
