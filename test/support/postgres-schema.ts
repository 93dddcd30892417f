/** Takes the structure of databases as scripts, and runs such scripts. */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { openPostgres } from '../../src/source/database/postgres/postgres.ts';
import type { SchemaScript } from '../../src/source/schema-script.ts';

const never = new AbortController().signal;

/** The script of the database at `url`. */
export async function scriptOf(url: string): Promise<SchemaScript> {
  const snapshot = await openPostgres(url).openSnapshot(never);
  try {
    return await snapshot.readSchema(never);
  } finally {
    await snapshot.close();
  }
}

/** Runs a script the way a person would: from top to bottom, each statement by itself. */
export async function runScript(url: string, script: SchemaScript): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const { object, sql } of [...script.before, ...script.after]) {
      await client.query(sql).catch((error: unknown) => {
        throw new Error(`${object}: ${String(error)}\n${sql}`);
      });
    }
  } finally {
    await client.end();
  }
}

/** The hand-written schema that uses everything the given major version offers. */
export async function everything(major: number): Promise<string> {
  const folder = new URL('../source/database/postgres/schema/', import.meta.url);
  const versions = [14, 15, 17, 18].filter((version) => version <= major).map((version) => `-${version}`);
  const parts = ['', ...versions].map((part) => readFile(new URL(`everything${part}.sql`, folder), 'utf8'));
  return (await Promise.all(parts)).join('\n');
}
