/** Makes databases on the test server, each with an owner who is no superuser. */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import pg from 'pg';
import type { RestoreTicket } from '../../src/source/source.ts';
import type { RestoreChildOrder } from './postgres-restore-child.ts';

/** A database that is dropped with {@link dispose}. */
export interface TestDatabase {
  /** As its owner. */
  readonly url: string;
  readonly owner: string;
  /** The same database as superuser. */
  readonly adminUrl: string;
  /** Runs statements as the owner. */
  execute(...statements: string[]): Promise<void>;
  /** Runs statements as superuser. */
  asAdmin(...statements: string[]): Promise<void>;
  /** Rows of a query as arrays of text, asked as superuser. */
  query(sql: string): Promise<(string | null)[][]>;
  /** A connection of the owner's, which the caller ends. */
  connect(application?: string): Promise<pg.Client>;
  dispose(): Promise<void>;
}

async function connected(url: string, application = 'test'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: application });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  const client = await connected(url);
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes an empty database owned by a fresh role. */
export async function createTestDatabase(maintenanceUrl: string): Promise<TestDatabase> {
  const name = `holdfast_${randomUUID().replaceAll('-', '')}`;
  await run(maintenanceUrl, [
    `CREATE ROLE ${name} LOGIN PASSWORD 'owner-secret'`,
    `CREATE DATABASE ${name} OWNER ${name}`,
  ]);
  const adminUrl = Object.assign(new URL(maintenanceUrl), { pathname: `/${name}` }).href;
  const url = Object.assign(new URL(adminUrl), { username: name, password: 'owner-secret' }).href;
  await run(adminUrl, [`ALTER SCHEMA public OWNER TO ${name}`]);
  return {
    url,
    owner: name,
    adminUrl,
    execute: (...statements) => run(url, statements),
    asAdmin: (...statements) => run(adminUrl, statements),
    connect: (application) => connected(url, application),
    async query(sql) {
      const client = await connected(adminUrl);
      try {
        const result = await client.query<(string | null)[]>({
          text: sql,
          rowMode: 'array',
          types: { getTypeParser: () => (text: string) => text },
        });
        return result.rows;
      } finally {
        await client.end();
      }
    },
    dispose: () => run(maintenanceUrl, [`DROP DATABASE ${name} WITH (FORCE)`, `DROP ROLE ${name}`]),
  };
}

/** Runs a restore in a process of its own, kills that and returns the ticket it told. */
export async function killedRestore(order: RestoreChildOrder): Promise<RestoreTicket> {
  const child = fork(new URL('./postgres-restore-child.ts', import.meta.url), { execArgv: [] });
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
