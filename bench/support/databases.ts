/** Makes the databases that are measured. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import pg from 'pg';
import type { SourceDatabaseInput } from '../../client/sdk/index.ts';
import { startPostgres } from './postgres-server.ts';
import { postgresStatements, sqliteStatements } from './sample-data.ts';
import type { Scratch } from './scratch.ts';

/** A database to measure on. */
export interface SampleDatabase {
  readonly kind: 'sqlite' | 'postgres';
  /** A path, or a URL of its owner. */
  readonly address: string;
  /** Size on disk, MB (2^20 bytes). */
  readonly megabytes: number;
}

const BYTES_PER_MIB = 2 ** 20;

/** Makes a SQLite file in `directory` of about `megabytes`. */
export async function makeSqlite(directory: string, megabytes: number): Promise<SampleDatabase> {
  await mkdir(directory, { recursive: true });
  const address = join(directory, 'sample.sqlite');
  const db = new Database(address);
  try {
    // It is thrown away when the bench ends.
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    for (const statement of sqliteStatements(megabytes)) db.exec(statement);
    db.pragma('journal_mode = DELETE');
  } finally {
    db.close();
  }
  return { kind: 'sqlite', address, megabytes: (await stat(address)).size / BYTES_PER_MIB };
}

/** Starts a PostgreSQL server and makes a database there of about `megabytes`. */
export async function makePostgres(
  scratch: Scratch,
  megabytes: number,
  bin?: string,
): Promise<SampleDatabase> {
  const address = await startPostgres(scratch, bin);
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    for (const statement of postgresStatements(megabytes)) await client.query(statement);
    const { rows } = await client.query<{ size: string }>(
      'SELECT pg_database_size(current_database())::text AS size',
    );
    return { kind: 'postgres', address, megabytes: Number(rows[0]?.size ?? 0) / BYTES_PER_MIB };
  } finally {
    await client.end();
  }
}

/** A database in the words of the API. */
export function sourceOf({ kind, address }: SampleDatabase): SourceDatabaseInput {
  return kind === 'sqlite' ? { sqlite: { path: address } } : { postgresql: { url: address } };
}
