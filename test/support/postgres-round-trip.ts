/** Takes whole small databases into memory and puts them back, the way the engine does it with bundles. */
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type {
  Database,
  DatabaseRestore,
  DatabaseRestoreRequest,
  SequenceState,
  Table,
} from '../../src/source/source.ts';

const never = new AbortController().signal;

/** What a bundle would hold. */
export interface Taken {
  readonly tables: readonly Table[];
  /** Row lines of each table. */
  readonly rows: readonly Buffer[];
  readonly sequences: readonly SequenceState[];
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Reads the named tables (all of them by default) in one snapshot. */
export async function take(database: Database, names?: readonly string[]): Promise<Taken> {
  const snapshot = await database.openSnapshot(never);
  try {
    const tables = snapshot.description.tables.filter(
      (table) => names?.includes(table.name) ?? (table.implicit !== true || table.rowEstimate > 0),
    );
    const rows: Buffer[] = [];
    for (const table of tables) rows.push(await collect(snapshot.readRows(table, never)));
    return { tables, rows, sequences: await snapshot.readSequences(tables, never) };
  } finally {
    await snapshot.close();
  }
}

/** The request that replaces everything taken. */
export function requestFor(
  taken: Taken,
  changes: Partial<DatabaseRestoreRequest> = {},
): DatabaseRestoreRequest {
  return {
    tables: taken.tables.map((table) => ({
      schema: table.schema,
      name: table.name,
      columns: table.columns.filter((column) => !column.generated).map((column) => column.name),
    })),
    clearedColumns: [],
    lockTimeoutMs: 2_000,
    endSessions: false,
    restoreId: 'restore-1',
    ...changes,
  };
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  const size = 10_007;
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Restores up to the point where only COMMIT is missing. */
export async function putBackUncommitted(
  database: Database,
  taken: Taken,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<DatabaseRestore> {
  const request = requestFor(taken, changes);
  const restore = await database.beginRestore(request, never);
  try {
    await restore.clear(never);
    for (const [n, table] of request.tables.entries()) {
      await restore.load(table, inChunks(taken.rows[n] ?? Buffer.alloc(0)), never);
    }
    await restore.finish(taken.sequences, never);
    await restore.ticket();
    return restore;
  } catch (error) {
    await restore.rollback();
    throw error;
  }
}

/** Restores everything taken. */
export async function putBack(
  database: Database,
  taken: Taken,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<void> {
  await (await putBackUncommitted(database, taken, changes)).commit();
}

/** The content of each table as `COPY … TO STDOUT` writes it, lines sorted; the database's own word. */
export async function contents(adminUrl: string, tables: readonly Table[]): Promise<Map<string, string[]>> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const result = new Map<string, string[]>();
    for (const table of tables) {
      const columns = table.columns.map((column) => client.escapeIdentifier(column.name)).join(', ');
      const name = `${client.escapeIdentifier(table.schema ?? '')}.${client.escapeIdentifier(table.name)}`;
      const chunks: Buffer[] = [];
      await pipeline(
        client.query(copyTo(`COPY (SELECT ${columns} FROM ONLY ${name}) TO STDOUT`)),
        async (out) => {
          // A byte stream without an encoding yields Buffers.
          for await (const chunk of out) chunks.push(chunk as Buffer);
        },
      );
      result.set(`${table.schema}.${table.name}`, Buffer.concat(chunks).toString('utf8').split('\n').sort());
    }
    return result;
  } finally {
    await client.end();
  }
}
