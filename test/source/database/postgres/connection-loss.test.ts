import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import {
  changedUrl,
  drain,
  endHoldfast,
  requestIds,
  waitUntilBlocked,
} from '../../../support/postgres-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';

const never = new AbortController().signal;

describe('a PostgreSQL connection that ends before its time', () => {
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

  it('tells that the connection was lost while rows were read, and lives on', async () => {
    await database.execute('INSERT INTO item SELECT generate_series(2000, 400000)');
    const snapshot = await source.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    const reading = async () => {
      let ended = false;
      for await (const _ of snapshot.readRows(table, never)) {
        if (ended) continue;
        ended = true;
        await endHoldfast(database);
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await snapshot.close();
  });

  it('tells that the connection was lost while it did nothing, and lives on', async () => {
    const snapshot = await source.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    await endHoldfast(database);
    await expect(drain(snapshot.readRows(table, never))).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    await expect(snapshot.readSequences([], never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await snapshot.close();
    const restore = await source.beginRestore(requestIds(['item']), never);
    await endHoldfast(database);
    await expect(restore.clear(never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await expect(restore.commit()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await restore.rollback();
  });

  it('tells that the connection was lost while rows were loaded', async () => {
    const restore = await source.beginRestore(requestIds(['item']), never);
    await restore.clear(never);
    async function* rows(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"id":1}\n');
      await endHoldfast(database);
      for (let id = 2; ; id += 1) yield Buffer.from(`{"id":${id}}\n`);
    }
    const table = { schema: 'public', name: 'item', columns: ['id'] };
    await expect(restore.load(table, rows(), never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await restore.rollback();
    expect(await source.countRows([{ schema: 'public', name: 'item' }], never)).toEqual([1000]);
  });

  it('leaves no session behind when it is canceled while it waits for a lock', async () => {
    const other = await database.connect('blocker');
    await other.query('BEGIN');
    await other.query('LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE');
    const controller = new AbortController();
    const waiting = source.beginRestore(requestIds(['item'], { lockTimeoutMs: 60_000 }), controller.signal);
    await waitUntilBlocked(database, 'holdfast');
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELED' });
    const applications = (await source.sessions(never))?.map((session) => session.application);
    expect(applications).toEqual(['blocker']);
    await other.end();
  });

  it('leaves no session behind when a reader stops half-way', async () => {
    await database.execute('INSERT INTO item SELECT generate_series(2000, 400000)');
    const snapshot = await source.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    for await (const _ of snapshot.readRows(table, never)) break;
    await snapshot.close();
    expect(await source.sessions(never)).toEqual([]);
  });

  it('closes its connections: a proxy in between sees every one of them end', async () => {
    const target = new URL(database.url);
    const open = new Set<Socket>();
    const proxy = createServer((socket) => {
      open.add(socket);
      const upstream = connect(Number(target.port), target.hostname);
      socket.pipe(upstream).pipe(socket);
      socket.on('error', () => upstream.destroy()).on('close', () => open.delete(socket));
      upstream.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const through = openPostgres(
      changedUrl(database.url, (url) => Object.assign(url, { port: String(address.port) })),
    );
    const snapshot = await through.openSnapshot(never);
    const [table] = snapshot.description.tables;
    if (table === undefined) throw new Error('no table');
    // The network goes away in the middle of everything.
    for (const socket of open) socket.destroy();
    await expect(drain(snapshot.readRows(table, never))).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    await snapshot.close();
    await through.describe(never);
    await new Promise((resolve) => proxy.close(resolve));
    expect(open.size).toBe(0);
  });
});
