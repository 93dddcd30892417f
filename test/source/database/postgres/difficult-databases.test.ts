import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { changedUrl, drain, requestIds } from '../../../support/postgres-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, take } from '../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../support/postgres-schema.ts';

const never = new AbortController().signal;
/** Seconds on a quiet machine; a busy one may take its time. */
const HUGE_MS = 300_000;

describe('a PostgreSQL database that is no easy one', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
  });
  afterEach(() => database.dispose());

  it('has tables without a key, with rows that are the same, and columns named like operators', async () => {
    await database.execute(
      'CREATE TABLE log (what text)',
      "INSERT INTO log VALUES ('same'), ('same'), (NULL), (NULL)",
      'CREATE TABLE "select" ("=" int, "<>" text, "and" bool, "null" text, "t" int, "r.*" int, "ctid " int, "--" text, "/*" text, ";" text, "$1" text, "%s" text)',
      `INSERT INTO "select" VALUES (1, 'a', true, NULL, 2, 3, 4, '5', '6', '7', '8', '9')`,
    );
    const taken = await take(source);
    const before = await contents(database.adminUrl, taken.tables);
    await database.execute('DELETE FROM log', 'UPDATE "select" SET "=" = 7');
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
  });

  it('has a table of 1,600 columns, and one of none', async () => {
    const columns = Array.from(
      { length: 1_600 },
      (_, n) => `"c ${n}" ${n % 4 === 0 ? 'bool' : n % 4 === 1 ? 'int' : n % 4 === 2 ? '"char"' : 'bool'}`,
    );
    await database.execute(
      `CREATE TABLE wide (${columns.join(', ')})`,
      `INSERT INTO wide VALUES (true, 1, 'x', false), (NULL, NULL, NULL, NULL)`,
      `INSERT INTO wide SELECT ${Array.from({ length: 1_600 }, (_, n) => (n % 4 === 1 ? `${n}` : n % 4 === 2 ? `'"'` : 'true')).join(', ')}`,
      'CREATE TABLE nothing ()',
      'INSERT INTO nothing SELECT FROM generate_series(1, 3)',
    );
    const taken = await take(source);
    const before = await contents(database.adminUrl, taken.tables);
    await database.execute('DELETE FROM wide', 'DELETE FROM nothing');
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
  });

  it(
    'has a value of 200 MB, which comes back',
    async () => {
      await database.execute(
        'CREATE TABLE large (id int PRIMARY KEY, value text, behind int)',
        'ALTER TABLE large ALTER value SET STORAGE EXTERNAL',
        `INSERT INTO large SELECT 1, repeat(E'0123456789 "quoted" \\\\ 書\\n', 200000000 / 27), 2`,
      );
      const sum = 'SELECT id::text, md5(value), octet_length(value)::text, behind::text FROM large';
      const before = await database.query(sum);
      expect(Number(before[0]?.[2])).toBeGreaterThan(190_000_000);
      const taken = await take(source);
      await database.execute('TRUNCATE large');
      await putBack(source, taken);
      expect(await database.query(sum)).toEqual(before);
    },
    HUGE_MS,
  );

  it(
    'has a value that the server cannot write as text: table and column are named',
    async () => {
      await database.execute(
        'CREATE TABLE huge (id int, small bytea, "The Value" bytea)',
        "INSERT INTO huge SELECT 1, '\\x00', convert_to(repeat('x', 540000000), 'UTF8')",
      );
      const snapshot = await source.openSnapshot(never);
      try {
        const table = snapshot.description.tables.find((candidate) => candidate.name === 'huge');
        if (table === undefined) throw new Error('no table');
        await expect(drain(snapshot.readRows(table, never))).rejects.toMatchObject({
          code: 'SOURCE_UNREACHABLE',
          message: expect.stringMatching(/public\.huge .*"The Value"/),
        });
      } finally {
        await snapshot.close();
      }
    },
    HUGE_MS,
  );

  it('has timeouts that a backup would run into', async () => {
    await database.execute(
      'CREATE TABLE item (id int)',
      'INSERT INTO item SELECT generate_series(1, 200000)',
    );
    for (const name of [
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'idle_session_timeout',
      'lock_timeout',
    ]) {
      await database.asAdmin(`ALTER ROLE ${database.owner} SET ${name} = '40ms'`);
    }
    const snapshot = await source.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    // The timeouts pass while nothing is asked, and while the rows wait to be read.
    await database.query('SELECT pg_sleep(0.15)');
    let bytes = 0;
    for await (const chunk of snapshot.readRows(table, never)) {
      if (bytes === 0) await database.query('SELECT pg_sleep(0.15)');
      bytes += chunk.length;
    }
    expect(bytes).toBeGreaterThan(2_000_000);
    await snapshot.close();
  });

  it('has settings that would change what values and statements mean', async () => {
    await database.execute(
      'CREATE TABLE t (id int PRIMARY KEY, words text[], "Mixed" text DEFAULT \'x\')',
      `INSERT INTO t VALUES (1, '{NULL,"NULL",null,a}'), (2, NULL)`,
      'CREATE VIEW unknown AS SELECT id FROM t WHERE id = NULL',
    );
    const taken = await take(source);
    const script = await scriptOf(database.url);
    const before = await contents(database.adminUrl, taken.tables);
    for (const setting of ['array_nulls = off', 'quote_all_identifiers = on', 'transform_null_equals = on']) {
      await database.execute(`ALTER ROLE ${database.owner} SET ${setting}`);
    }
    const again = await take(source);
    expect(again.rows).toEqual(taken.rows);
    expect(await scriptOf(database.url)).toEqual(script);
    await database.asAdmin('DROP TABLE t CASCADE');
    await putBack(source, taken, { schema: { mode: 'REPLACE', script } });
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect(await scriptOf(database.url)).toEqual(script);
  });

  it('is set to read only: it can be read, and a restore is refused before anything', async () => {
    await database.execute('CREATE TABLE item (id int)', 'INSERT INTO item VALUES (1)');
    await database.asAdmin(`ALTER DATABASE ${database.owner} SET default_transaction_read_only = on`);
    const taken = await take(source);
    expect(taken.rows.map(String)).toEqual(['{"id":1}\n']);
    await expect(
      source.beginRestore(requestIds(['item'], { endSessions: true }), never),
    ).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('read only'),
    });
  });

  it('has tables this user may not read: the description says so before anything is read', async () => {
    await database.execute(
      'CREATE TABLE item (id int)',
      'CREATE SCHEMA closed',
      'CREATE TABLE closed.item (id int)',
    );
    await database.asAdmin(
      'CREATE TABLE private (id int)',
      'ALTER SCHEMA closed OWNER TO CURRENT_USER',
      `GRANT SELECT ON closed.item TO PUBLIC`,
    );
    const { tables } = await source.describe(never);
    expect(tables.map((table) => [table.schema, table.name, table.unreadable])).toEqual([
      ['closed', 'item', 'USAGE privilege is missing on schema closed'],
      ['public', 'item', undefined],
      ['public', 'private', 'SELECT privilege is missing on public.private'],
      ['pg_catalog', 'pg_largeobject', undefined],
    ]);
  });

  it('hides rows from this user: row security is no reason to leave them out silently', async () => {
    await database.asAdmin(
      'CREATE TABLE secret (id int)',
      'INSERT INTO secret VALUES (1), (2)',
      'ALTER TABLE secret ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY one ON secret USING (id = 1)',
      'GRANT SELECT ON secret TO PUBLIC',
    );
    const { tables } = await source.describe(never);
    expect(tables.find((table) => table.name === 'secret')?.unreadable).toBe(
      'row-level security hides rows of public.secret',
    );
    const asAdmin = await openPostgres(database.adminUrl).describe(never);
    expect(asAdmin.tables.some((table) => table.unreadable !== undefined)).toBe(false);
    await expect(take(source)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('public.secret'),
      hint: expect.stringContaining('BYPASSRLS'),
    });
    expect((await take(openPostgres(database.adminUrl))).rows.map(String)).toEqual(['{"id":1}\n{"id":2}\n']);
  });

  it('carries unlogged tables like others', async () => {
    await database.execute('CREATE UNLOGGED TABLE cache (id int)', 'INSERT INTO cache VALUES (1)');
    const taken = await take(source);
    await database.execute('DELETE FROM cache');
    await putBack(source, taken);
    expect(await database.query('SELECT id::text FROM cache')).toEqual([['1']]);
    expect(await database.query("SELECT relpersistence::text FROM pg_class WHERE relname = 'cache'")).toEqual(
      [['u']],
    );
  });

  it('is on a server that is too old: refused by its version', async () => {
    const [row] = await database.query("SELECT current_setting('server_version_num')");
    const version = row?.[0] ?? '';
    const old = `12${version.slice(2)}`;
    const target = new URL(database.url);
    const open = new Set<Socket>();
    /** A server that calls itself older: the same number of digits, so that no length changes. */
    const proxy = createServer((socket) => {
      const upstream = connect(Number(target.port), target.hostname);
      open.add(socket);
      const aged = new Transform({
        transform(chunk: Buffer, _, done) {
          done(null, Buffer.from(chunk.toString('latin1').replaceAll(version, old), 'latin1'));
        },
      });
      socket.pipe(upstream).pipe(aged).pipe(socket);
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const address = proxy.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      const through = openPostgres(
        changedUrl(database.url, (url) => Object.assign(url, { port: String(address.port) })),
      );
      await expect(through.describe(never)).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        message: expect.stringContaining('13 is the oldest'),
      });
    } finally {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });
});
