/** Tables held in memory and put back, the way the engine does it with bundles; for every kind that has a server. */
import type {
  Database,
  DatabaseRestore,
  DatabaseRestoreRequest,
  DatabaseSnapshot,
  SequenceState,
  Table,
} from '../../src/source/source.ts';

const never = new AbortController().signal;

/** What a bundle would hold of some tables. */
export interface TakenTables {
  readonly tables: readonly Table[];
  /** Row lines of each table. */
  readonly rows: readonly Buffer[];
  readonly sequences: readonly SequenceState[];
}

/** Reads tables of a snapshot. */
export async function takeTables(snapshot: DatabaseSnapshot, tables: readonly Table[]): Promise<TakenTables> {
  const rows: Buffer[] = [];
  for (const table of tables) rows.push(await collect(snapshot.readRows(table, never)));
  return { tables, rows, sequences: await snapshot.readSequences(tables, never) };
}

/** The request that replaces everything taken. */
export function requestFor(
  taken: TakenTables,
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

/** Restores until everything is loaded and checked; rolls back when that fails. */
export async function loadTaken(
  database: Database,
  taken: TakenTables,
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
    return restore;
  } catch (error) {
    await restore.rollback();
    throw error;
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  const size = 10_007;
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
