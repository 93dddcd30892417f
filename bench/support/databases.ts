/** Makes the databases that are measured. */
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Connection, createConnection } from 'mariadb';
import pg from 'pg';
import type { SourceDatabaseInput } from '../../client/sdk/index.ts';
import { startMariadb } from '../../test/support/mariadb-server.ts';
import type { DatabaseKind } from './options.ts';
import { startPostgres } from './postgres-server.ts';
import { mariadbStatements, postgresStatements, sqliteStatements } from './sample-data.ts';
import type { Scratch } from './scratch.ts';

/** A database to measure on, with an empty one beside it to restore into. */
export interface SampleDatabase {
  readonly kind: DatabaseKind;
  /** A path, or a URL of its owner. */
  readonly address: string;
  /** Size on disk, MB (2^20 bytes). */
  readonly megabytes: number;
  /** What the server or library calls itself. */
  readonly version: string;
  /** Where {@link emptyTarget} makes the other one. */
  readonly targetAddress: string;
  /** Makes the other database anew, empty. */
  emptyTarget(): Promise<void>;
  /** Lets the server finish what it put off, so that the next work does not pay for it. */
  settle(): Promise<void>;
}

const BYTES_PER_MIB = 2 ** 20;
/** Larger than the log of a bench's largest table, so that no work waits for a checkpoint. */
const MARIADB_SETTINGS = [
  '--innodb-buffer-pool-size=512M',
  '--innodb-log-file-size=1G',
  '--max-allowed-packet=64M',
];

/** Makes a database of about `megabytes` in `directory` or on a server of its own; undefined without a server. */
export async function makeDatabase(
  scratch: Scratch,
  kind: DatabaseKind,
  megabytes: number,
  postgresBin?: string,
): Promise<SampleDatabase | undefined> {
  if (kind === 'sqlite') return await makeSqlite(rootOf(scratch), megabytes);
  return kind === 'postgres'
    ? await makePostgres(scratch, megabytes, postgresBin)
    : await makeMariadb(scratch, megabytes);
}

/** The directory that sources may lie in. */
export function rootOf(scratch: Scratch): string {
  return join(scratch.directory, 'root');
}

async function makeSqlite(directory: string, megabytes: number): Promise<SampleDatabase> {
  await mkdir(directory, { recursive: true });
  const address = join(directory, 'sample.sqlite');
  const targetAddress = join(directory, 'target.sqlite');
  const db = new Database(address);
  let version = '';
  try {
    // It is thrown away when the bench ends.
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    for (const statement of sqliteStatements(megabytes)) db.exec(statement);
    db.pragma('journal_mode = DELETE');
    version = `SQLite ${db.prepare('SELECT sqlite_version()').pluck().get()} (better-sqlite3)`;
  } finally {
    db.close();
  }
  return {
    kind: 'sqlite',
    address,
    megabytes: (await stat(address)).size / BYTES_PER_MIB,
    version,
    targetAddress,
    async emptyTarget() {
      await rm(targetAddress, { force: true });
      // No bytes at all are an empty database.
      await writeFile(targetAddress, '');
    },
    settle: async () => undefined,
  };
}

async function makePostgres(scratch: Scratch, megabytes: number, bin?: string): Promise<SampleDatabase> {
  const address = await startPostgres(scratch, bin);
  const ask = async <T extends pg.QueryResultRow>(...statements: string[]): Promise<T | undefined> => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    try {
      let last: T | undefined;
      for (const statement of statements) last = (await client.query<T>(statement)).rows[0];
      return last;
    } finally {
      await client.end();
    }
  };
  const settle = async (): Promise<void> => {
    await ask('VACUUM (ANALYZE)', 'CHECKPOINT');
  };
  await ask(...postgresStatements(megabytes));
  await settle();
  const found = await ask<{ size: string; version: string }>(
    `SELECT pg_database_size(current_database())::text AS size, current_setting('server_version') AS version`,
  );
  const target = new URL(address);
  target.pathname = '/target';
  return {
    kind: 'postgres',
    address,
    megabytes: Number(found?.size ?? 0) / BYTES_PER_MIB,
    version: `PostgreSQL ${found?.version ?? ''}`,
    targetAddress: target.href,
    async emptyTarget() {
      await ask('DROP DATABASE IF EXISTS target WITH (FORCE)', 'CREATE DATABASE target', 'CHECKPOINT');
    },
    settle,
  };
}

async function makeMariadb(scratch: Scratch, megabytes: number): Promise<SampleDatabase | undefined> {
  const server = await startMariadb(MARIADB_SETTINGS);
  if (server === undefined) return undefined;
  scratch.atEnd(() => server.stop());
  const { hostname: host, port } = new URL(server.url);
  const connect = async (): Promise<Connection> =>
    await createConnection({ host, port: Number(port), user: 'root', multipleStatements: false });
  const connection = await connect();
  try {
    await connection.query('CREATE DATABASE sample');
    await connection.query('USE sample');
    for (const statement of mariadbStatements(megabytes)) await connection.query(statement);
    await connection.query('ANALYZE TABLE documents, measurements, attachments, vectors');
    const [found] = await connection.query<{ size: string; version: string }[]>(
      `SELECT cast(sum(data_length + index_length) AS char) AS size, version() AS version
         FROM information_schema.tables WHERE table_schema = 'sample'`,
    );
    return {
      kind: 'mariadb',
      address: `${server.url}/sample`,
      megabytes: Number(found?.size ?? 0) / BYTES_PER_MIB,
      version: `MariaDB ${found?.version ?? ''}`,
      targetAddress: `${server.url}/target`,
      async emptyTarget() {
        const other = await connect();
        try {
          await other.query('DROP DATABASE IF EXISTS target');
          await other.query('CREATE DATABASE target');
        } finally {
          await other.end();
        }
      },
      settle: async () => undefined,
    };
  } finally {
    await connection.end();
  }
}

/** A database in the words of the API. */
export function sourceOf(kind: DatabaseKind, address: string): SourceDatabaseInput {
  if (kind === 'sqlite') return { sqlite: { path: address } };
  return kind === 'postgres' ? { postgresql: { url: address } } : { mariadb: { url: address } };
}
