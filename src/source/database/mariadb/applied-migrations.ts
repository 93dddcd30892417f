/** Finds out which migrations an application has applied, where its tool keeps them in a table we know. */
import { migrationQueries, oldestFirst } from '../migration-histories.ts';
import type { LiveTables } from './describe.ts';
import { quoteName } from './names.ts';
import type { MariadbSession } from './session.ts';

/** Names of applied migrations, oldest first; empty when no known table exists or may be read. */
export async function appliedMigrations(
  session: MariadbSession,
  tables: LiveTables,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const readable = [...tables.values()]
    .filter(({ table }) => table.unreadable === undefined)
    .map(({ table: { name, columns } }) => ({ name, columns, quoted: quoteName(name) }));
  const found: unknown[][] = [];
  for (const sql of migrationQueries(readable, quoteName)) {
    const rows = await session.query(sql, signal);
    found.push(rows.map(([name]) => name));
  }
  return oldestFirst(found);
}
