/** Takes whole small databases into memory and puts them back, structure included. */

import type { SchemaScript } from '../../src/source/schema-script.ts';
import type { Database, DatabaseRestoreRequest } from '../../src/source/source.ts';
import type { TestDatabase } from './mariadb-database.ts';
import { loadTaken, type TakenTables, takeTables } from './taken-tables.ts';

const never = new AbortController().signal;

/** What a bundle would hold. */
export interface Taken extends TakenTables {
  readonly script: SchemaScript;
}

/** Reads the named tables (all of them by default) in one snapshot. */
export async function take(database: Database, names?: readonly string[]): Promise<Taken> {
  const snapshot = await database.openSnapshot(never);
  try {
    const tables = snapshot.description.tables.filter((table) => names?.includes(table.name) ?? true);
    return { ...(await takeTables(snapshot, tables)), script: await snapshot.readSchema(never) };
  } finally {
    await snapshot.close();
  }
}

/** Restores everything taken, and forgets it. */
export async function putBack(
  database: Database,
  taken: Taken,
  changes: Partial<DatabaseRestoreRequest> = {},
): Promise<void> {
  const restore = await loadTaken(database, taken, changes);
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
