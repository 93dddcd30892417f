import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { parseAddress } from '../../../../src/source/database/mariadb/address.ts';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { MariadbSession } from '../../../../src/source/database/mariadb/session.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { contents, putBack, take } from '../../../support/mariadb-round-trip.ts';
import { type MariadbServer, startMariadb } from '../../../support/mariadb-server.ts';
import { loadTaken } from '../../../support/taken-tables.ts';

const never = new AbortController().signal;

// Settings of the whole server are changed here, so it is not the one that other tests use.
describe.skipIf(inject('mariadbUrl') === null)('a server with settings of its own', () => {
  let server: MariadbServer | undefined;
  let database: TestDatabase;
  let source: Database;
  beforeAll(async () => {
    server = await startMariadb();
  });
  beforeEach(async (context) => {
    if (server === undefined) return context.skip();
    database = await createTestDatabase(server.url);
    source = openMariadb(database.url);
    await database.execute(
      'CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10) NOT NULL, n TINYINT CHECK (n < 100))',
      "INSERT INTO item (v, n) VALUES ('one', 1), ('two', 2)",
    );
  });
  afterEach(async () => {
    if (server !== undefined) await database.dispose();
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('a server that only allows reading refuses a restore and lets a backup through', async () => {
    await database.asAdmin('SET GLOBAL read_only = 1');
    try {
      const taken = await take(source);
      await expect(putBack(source, taken)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('only allows reading'),
      });
    } finally {
      await database.asAdmin('SET GLOBAL read_only = 0');
    }
  });

  it('a server that does not take files is loaded all the same', async () => {
    await database.execute(
      "CREATE TABLE odd (id INT PRIMARY KEY, b BLOB, t TEXT CHARACTER SET cp932, e ENUM('a'), bi BIT(20))",
    );
    await database.execute(
      "SET sql_mode = ''",
      "INSERT INTO odd VALUES (1, 0x00275c22ff0a, _cp932 0x8790FA5B, 'no', 5), (2, NULL, NULL, NULL, NULL)",
    );
    const taken = await take(source);
    await database.execute('DELETE FROM item', 'DELETE FROM odd');
    await database.asAdmin('SET GLOBAL local_infile = 0');
    try {
      await putBack(source, taken);
      expect((await take(source)).rows).toEqual(taken.rows);
      const rows = [Buffer.from('{"id":1,"v":"longer than ten","n":1}\n'), taken.rows[1] ?? Buffer.alloc(0)];
      await expect(putBack(source, { ...taken, rows })).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringContaining('Row 1 of table item, column "v"'),
      });
    } finally {
      await database.asAdmin('SET GLOBAL local_infile = 1');
    }
  });

  it('a server that takes neither files nor big statements is loaded, and a row too big for it is named', async () => {
    await database.execute(
      'ALTER TABLE item ADD COLUMN big LONGTEXT',
      "INSERT INTO item (v, big) SELECT seq, REPEAT('x', 10000) FROM seq_1_to_200",
    );
    const taken = await take(source);
    await database.asAdmin('SET GLOBAL local_infile = 0', 'SET GLOBAL max_allowed_packet = 1048576');
    try {
      await putBack(source, taken);
      const rows = [Buffer.from(`{"id":1,"v":"one","n":1,"big":"${'x'.repeat(3_000_000)}"}\n`)];
      await expect(putBack(source, { ...taken, rows })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('table item'),
      });
    } finally {
      await database.asAdmin('SET GLOBAL local_infile = 1', 'SET GLOBAL max_allowed_packet = 16777216');
    }
    expect((await take(source)).rows).toEqual(taken.rows);
  });

  it('rows stand in no error, whatever the server refuses', async () => {
    const session = await MariadbSession.open(
      parseAddress(database.url),
      { connectTimeoutMs: 10_000, lockTimeoutMs: 1_000 },
      never,
    );
    try {
      const failure: unknown = await session
        .execute("INSERT INTO nosuch VALUES ('a diagnosis')", never)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ errno: 1146 });
      expect(inspect(failure, { depth: 9 })).not.toContain('diagnosis');
    } finally {
      await session.end();
    }
  });

  it('that crashes in the middle of a restore is as it was when its outcome is asked', async () => {
    const taken = await take(source);
    const restore = await loadTaken(source, taken);
    const ticket = await restore.ticket();
    await server?.kill();
    await restore.rollback();
    await expect(source.outcome(ticket, never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await server?.restart();
    expect(await source.outcome(ticket, never)).toBe('ROLLED_BACK');
    expect((await take(source)).rows.map(String)).toEqual(taken.rows.map(String));
    expect(await database.query('SHOW TABLES')).toEqual([['item']]);
  });

  it('whose sql_mode, time zone and isolation are odd gives and takes the same rows', async () => {
    await database.execute(
      "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
      'CREATE TABLE moments (id INT AUTO_INCREMENT PRIMARY KEY, d DATE, ts TIMESTAMP(3) NULL, t TEXT, z INT(5) ZEROFILL)',
      `INSERT INTO moments VALUES (0, '0000-00-00', '2024-03-31 02:30:00.5', 'back\\\\slash "quoted" ''too''', 7),
         (2, '2024-00-10', '0000-00-00 00:00:00', '', NULL)`,
    );
    const before = (await take(source)).rows;
    await database.asAdmin(
      "SET GLOBAL sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
      "SET GLOBAL time_zone = '+05:30'",
      "SET GLOBAL tx_isolation = 'READ-UNCOMMITTED'",
    );
    const taken = await take(source);
    expect(taken.rows.map(String)).toEqual(before.map(String));
    const held = await contents(database, ['moments']);
    await database.execute('DELETE FROM moments');
    await putBack(source, taken);
    expect(await contents(database, ['moments'])).toEqual(held);
  });
});
