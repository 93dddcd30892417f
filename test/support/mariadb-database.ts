/** Makes databases on the test server, each with a user who has all privileges on it and no others. */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Connection, createConnection } from 'mariadb';
import type { RestoreTicket } from '../../src/source/source.ts';
import type { RestoreChildOrder } from './mariadb-restore-child.ts';

/** A database that is dropped with {@link dispose}. */
export interface TestDatabase {
  /** As its owner. */
  readonly url: string;
  readonly name: string;
  /** Runs statements as the owner. */
  execute(...statements: string[]): Promise<void>;
  /** Runs statements as root, in this database. */
  asAdmin(...statements: string[]): Promise<void>;
  /** Rows of a query as arrays of text, asked as root. */
  query(sql: string): Promise<(string | null)[][]>;
  /** A connection of the owner's, which the caller ends. */
  connect(): Promise<Connection>;
  dispose(): Promise<void>;
}

/** A connection that gives rows as arrays of text, in UTC. */
export async function connected(url: string): Promise<Connection> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const connection = await createConnection({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    ...(pathname.length > 1 ? { database: decodeURIComponent(pathname.slice(1)) } : {}),
    charset: 'utf8mb4',
    rowsAsArray: true,
    checkDuplicate: false,
    typeCast: (field) => field.string(),
  });
  connection.on('error', () => {});
  await connection.query("SET time_zone = '+00:00'");
  return connection;
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  const connection = await connected(url);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}

/** Makes an empty database with a user of its own. */
export async function createTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `hf_${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  await run(serverUrl, [
    `CREATE DATABASE ${name} CHARACTER SET utf8mb4`,
    `CREATE USER ${name}@'127.0.0.1' IDENTIFIED BY 'owner-secret'`,
    `GRANT ALL ON ${name}.* TO ${name}@'127.0.0.1'`,
  ]);
  const adminUrl = `${serverUrl}/${name}`;
  const url = Object.assign(new URL(adminUrl), { username: name, password: 'owner-secret' }).href;
  return {
    url,
    name,
    execute: (...statements) => run(url, statements),
    asAdmin: (...statements) => run(adminUrl, statements),
    connect: () => connected(url),
    async query(sql) {
      const connection = await connected(adminUrl);
      try {
        return await connection.query<(string | null)[][]>(sql);
      } finally {
        await connection.end();
      }
    },
    dispose: () =>
      run(serverUrl, [`DROP DATABASE IF EXISTS ${name}`, `DROP USER IF EXISTS ${name}@'127.0.0.1'`]),
  };
}

/** Runs a restore in a process of its own, kills that and returns the ticket it told. */
export async function killedRestore(order: RestoreChildOrder): Promise<RestoreTicket> {
  const child = fork(new URL('./mariadb-restore-child.ts', import.meta.url), { execArgv: [] });
  try {
    child.send(order);
    const told = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => {
        throw new Error('the restoring process ended by itself');
      }),
    ]);
    // The child sends nothing but its ticket.
    return told[0] as RestoreTicket;
  } finally {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}
