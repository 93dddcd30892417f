import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { putBack, take } from '../../../support/mariadb-round-trip.ts';
import { loadTaken, requestFor } from '../../../support/taken-tables.ts';

const serverUrl = inject('mariadbUrl');
const never = new AbortController().signal;

describe('an address of a MariaDB database', () => {
  it.each([
    ['postgresql://u:secret@h/d', 'mariadb://'],
    ['mariadb://u:secret@h', 'no database'],
    ['mariadb://:secret@h/d', 'no user'],
    ['mariadb://u:secret@h/d?ssl-mode=odd', 'ssl-mode'],
    ['not a url secret', 'not a valid URL'],
  ])('is refused when it is none (%#)', (url, told) => {
    expect(() => openMariadb(url)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(told) }),
    );
    expect(() => openMariadb(url)).not.toThrow('secret');
  });

  it('is told apart when nobody answers there', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    await new Promise((resolve) => server.close(resolve));
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const database = openMariadb(`mariadb://user:secret@127.0.0.1:${port}/shop`);
    await expect(database.describe(never)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('listens'),
    });
  });
});

describe.skipIf(serverUrl === null)('what MariaDB refuses', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(serverUrl ?? '');
    source = openMariadb(database.url);
    await database.execute(
      'CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10) NOT NULL, n TINYINT CHECK (n < 100))',
      "INSERT INTO item (v, n) VALUES ('one', 1), ('two', 2)",
    );
  });
  afterEach(() => database.dispose());

  it.each([
    ['a wrong password', (url: URL) => Object.assign(url, { password: 'wrong-secret' }), 'password'],
    ['an unknown user', (url: URL) => Object.assign(url, { username: 'nobody' }), 'nobody'],
    ['an unknown database', (url: URL) => Object.assign(url, { pathname: '/no_such_db' }), 'no_such_db'],
  ])('%s is told without the password', async (_, change, told) => {
    const url = change(new URL(database.url)).href;
    const failure = await openMariadb(url)
      .describe(never)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SOURCE_UNREACHABLE', message: expect.stringContaining(told) });
    expect(String(failure)).not.toMatch(/secret/);
  });

  it('a table it lets nobody read is named, and the others are described', async () => {
    await database.asAdmin(
      'CREATE TABLE hidden (id INT PRIMARY KEY)',
      `CREATE USER ${database.name}r@'127.0.0.1' IDENTIFIED BY 'p'`,
      `GRANT SELECT ON ${database.name}.item TO ${database.name}r@'127.0.0.1'`,
      `GRANT INSERT ON ${database.name}.hidden TO ${database.name}r@'127.0.0.1'`,
    );
    try {
      const url = Object.assign(new URL(database.url), { username: `${database.name}r`, password: 'p' }).href;
      const { tables } = await openMariadb(url).describe(never);
      expect(tables.map(({ name, unreadable }) => [name, unreadable === undefined])).toEqual([
        ['hidden', false],
        ['item', true],
      ]);
      const taken = await take(openMariadb(url), ['item']);
      await expect(putBack(openMariadb(url), taken)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    } finally {
      await database.asAdmin(`DROP USER ${database.name}r@'127.0.0.1'`);
    }
  });

  it.each([
    ['text too long', '{"id":3,"v":"longer than ten","n":1}\n', 'Row 2 of table item, column "v"'],
    ['a number out of range', '{"id":3,"v":"x","n":1000}\n', 'Row 2 of table item, column "n"'],
    ['no number at all', '{"id":3,"v":"x","n":"abc"}\n', 'Row 2 of table item'],
    ['a broken check', '{"id":3,"v":"x","n":101}\n', 'table item'],
    ['NULL where none may be', '{"id":3,"v":null,"n":1}\n', 'Row 2 of table item'],
    ['a key that is there', '{"id":1,"v":"x","n":1}\n', "Duplicate entry '1'"],
  ])('%s fails with its table and row, and leaves all as it was', async (_, line, told) => {
    const taken = await take(source);
    const rows = [Buffer.from(`{"id":1,"v":"a","n":1}\n${line}`)];
    await expect(putBack(source, { ...taken, rows })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(told),
    });
    expect((await take(source)).rows).toEqual(taken.rows);
  });

  it('a table in use makes the restore busy and names who uses it; endSessions ends them', async () => {
    const taken = await take(source);
    const application = await database.connect();
    await application.query('START TRANSACTION');
    await application.query('SELECT * FROM item');
    try {
      const failure = source.beginRestore(requestFor(taken, { lockTimeoutMs: 1_000 }), never);
      await expect(failure).rejects.toMatchObject({
        code: 'SOURCE_BUSY',
        message: expect.stringContaining(String(application.threadId)),
      });
      await putBack(source, taken, { lockTimeoutMs: 1_000, endSessions: true });
      await expect(application.query('SELECT 1')).rejects.toThrow();
    } finally {
      application.destroy();
    }
  });

  it('rows written while a restore runs are refused or kept, never lost silently', async () => {
    // Several tables: the swap takes its locks one after the other, and writers wait for each.
    const names = Array.from({ length: 8 }, (_, n) => `table_${n}`);
    await database.execute(...names.map((name) => `CREATE TABLE ${name} (id INT PRIMARY KEY)`));
    const taken = await take(source);
    const restore = await loadTaken(source, taken);
    const writers = await Promise.all(names.map(() => database.connect()));
    const written = writers.map((writer, n) =>
      writer.query(`INSERT INTO ${names[n]} VALUES (77)`).then(
        () => 'kept',
        (error: unknown) => String(error),
      ),
    );
    for (;;) {
      const waiting = await database.query(
        `SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE LIKE 'Waiting%' AND INFO LIKE 'INSERT%'`,
      );
      if (waiting.length === names.length) break;
    }
    const ticket = await restore.ticket();
    await restore.commit();
    await source.forget(ticket, never);
    for (const [n, name] of names.entries()) {
      const answer = await written[n];
      const [found] = await database.query(`SELECT COUNT(*) FROM ${name}`);
      expect(found).toEqual([answer === 'kept' ? '1' : '0']);
      if (answer !== 'kept') expect(answer).toContain('being restored');
    }
    for (const writer of writers) await writer.end();
  });
});

describe.skipIf(serverUrl === null)('a connection that breaks', () => {
  it('while rows are read or loaded is SOURCE_UNREACHABLE, and leaves all as it was', async () => {
    const database = await createTestDatabase(serverUrl ?? '');
    const sockets = new Set<Socket>();
    const proxy = await proxyTo(new URL(serverUrl ?? ''), sockets);
    try {
      await database.execute(
        'CREATE TABLE big (id INT PRIMARY KEY, v LONGTEXT)',
        "INSERT INTO big SELECT seq, REPEAT('x', 100000) FROM seq_1_to_200",
      );
      const source = openMariadb(Object.assign(new URL(database.url), { port: proxy.port }).href);
      const taken = await take(source);
      const snapshot = await source.openSnapshot(never);
      const [big] = snapshot.description.tables;
      if (big === undefined) throw new Error('no table');
      const reading = (async () => {
        for await (const chunk of snapshot.readRows(big, never)) {
          if (chunk.length > 0) for (const socket of sockets) socket.destroy();
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
      await snapshot.close();
      const request = requestFor(taken);
      const restore = await source.beginRestore(request, never);
      await restore.clear(never);
      async function* breaking(): AsyncGenerator<Buffer> {
        yield taken.rows[0] ?? Buffer.alloc(0);
        for (const socket of sockets) socket.destroy();
        yield Buffer.from('{"id":1000,"v":"x"}\n');
      }
      const [table] = request.tables;
      if (table === undefined) throw new Error('no table');
      await expect(restore.load(table, breaking(), never)).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
      });
      await restore.rollback();
      expect((await take(source)).rows[0]?.equals(taken.rows[0] ?? Buffer.alloc(0))).toBe(true);
      expect(await database.query('SHOW TABLES')).toEqual([['big']]);
    } finally {
      proxy.server.close();
      for (const socket of sockets) socket.destroy();
      await database.dispose();
    }
  });
});

async function proxyTo(target: URL, sockets: Set<Socket>): Promise<{ server: Server; port: string }> {
  const { connect } = await import('node:net');
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: String(address.port) };
}
