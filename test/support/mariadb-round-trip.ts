/** Takes whole small databases into memory and puts them back, the way the engine does it with bundles. */
import type {
  Database,
  DatabaseRestore,
  DatabaseRestoreRequest,
  SchemaScript,
  SequenceState,
  Table,
} from '../../src/source/source.ts';
import type { TestDatabase } from './mariadb-database.ts';

const never = new AbortController().signal;

/** What a bundle would hold. */
export interface Taken {
  readonly tables: readonly Table[];
  /** Row lines of each table. */
  readonly rows: readonly Buffer[];
  readonly sequences: readonly SequenceState[];
  readonly script: SchemaScript;
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
    const tables = snapshot.description.tables.filter((table) => names?.includes(table.name) ?? true);
    const rows: Buffer[] = [];
    for (const table of tables) rows.push(await collect(snapshot.readRows(table, never)));
    const sequences = await snapshot.readSequences(tables, never);
    return { tables, rows, sequences, script: await snapshot.readSchema(never) };
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

/** Restores up to the point where only the swap is missing. */
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
    return restore;
  } catch (error) {
    await restore.rollback();
    throw error;
  }
}

/** Restores everything taken, and forgets it. */
export async function putBack(
  database: Database,
  taken: Taken,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<void> {
  const restore = await putBackUncommitted(database, taken, changes);
  try {
    const ticket = await restore.ticket();
    await restore.commit();
    await database.forget(ticket, never);
  } finally {
    await restore.rollback();
  }
}

/** What the server itself says that a database holds: nothing of the code under test has a part in it. */
export async function contents(
  database: TestDatabase,
  tables: readonly string[],
): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const table of tables) {
    const quoted = `\`${table.replaceAll('`', '``')}\``;
    const columns = await database.query(
      `SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '${table.replaceAll('\\', '\\\\').replaceAll("'", "''")}'
          AND COLUMN_NAME NOT LIKE 'row\\_%' ORDER BY ORDINAL_POSITION`,
    );
    const values = columns.map(([name, type]) => {
      const column = `\`${(name ?? '').replaceAll('`', '``')}\``;
      // A double says what a float is to the last bit; HEX of text and bytes is their bytes.
      if (type === 'float' || type === 'double') return `CAST(${column} AS DOUBLE)`;
      if (type === 'bit' || type === 'enum' || type === 'set')
        return `CONCAT(${column} + 0, ':', HEX(${column}))`;
      if (/int|decimal/.test(type ?? '')) return column;
      return `HEX(CAST(${column} AS BINARY))`;
    });
    const rows = await database.query(`SELECT ${values.join(', ') || '1'} FROM ${quoted}`);
    result[table] = rows.map((row) => JSON.stringify(row)).sort();
  }
  return result;
}

/** AUTO_INCREMENT of every table. */
export async function counters(database: TestDatabase): Promise<(string | null)[][]> {
  return await database.query(
    `SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE' ORDER BY TABLE_NAME`,
  );
}
