/** Takes whole small databases into memory and puts them back. */
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Database, DatabaseRestore, DatabaseRestoreRequest, Table } from '../../src/source/source.ts';
import { loadTaken, type TakenTables, takeTables } from './taken-tables.ts';

const never = new AbortController().signal;

/** Reads the named tables (all of them by default) in one snapshot. */
export async function take(database: Database, names?: readonly string[]): Promise<TakenTables> {
  const snapshot = await database.openSnapshot(never);
  try {
    const tables = snapshot.description.tables.filter(
      (table) => names?.includes(table.name) ?? (table.implicit !== true || table.rowEstimate > 0),
    );
    return await takeTables(snapshot, tables);
  } finally {
    await snapshot.close();
  }
}

/** Restores up to the point where only COMMIT is missing. */
export async function putBackUncommitted(
  database: Database,
  taken: TakenTables,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<DatabaseRestore> {
  const restore = await loadTaken(database, taken, changes);
  await restore.ticket();
  return restore;
}

/** Restores everything taken. */
export async function putBack(
  database: Database,
  taken: TakenTables,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<void> {
  await (await putBackUncommitted(database, taken, changes)).commit();
}

/** The content of each table as `COPY … TO STDOUT` writes it, lines sorted; the database's own word. */
export async function contents(
  adminUrl: string,
  tables: readonly Pick<Table, 'schema' | 'name' | 'columns'>[],
): Promise<Map<string, string[]>> {
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
