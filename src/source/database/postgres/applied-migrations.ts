/** Finds out which migrations an application has applied, where its tool keeps them in a table we know. */
import { migrationQueries, oldestFirst } from '../migration-histories.ts';
import type { LiveTables } from './describe.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** Names of applied migrations, oldest first; empty when no known table exists or may be read. */
export async function appliedMigrations(
  session: PostgresSession,
  tables: LiveTables,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const readable = [...tables.values()]
    .filter((live) => live.readable && !live.rowSecurity)
    .map(({ table, columns }) => ({ name: table.name, columns, quoted: quoteTable(table) }));
  const found: string[][] = [];
  for (const sql of migrationQueries(readable, quoteName)) {
    const rows = await session.query<{ name: string }>(sql, [], signal);
    found.push(rows.map(({ name }) => name));
  }
  return oldestFirst(found);
}
