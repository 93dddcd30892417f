/** Finds out which migrations an application has applied, where its tool keeps them in a table we know. */
import type { LiveTables } from './describe.ts';
import { quoteTable } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** At most this many names, the newest. */
const LIMIT = 1_000;

interface MigrationTable {
  readonly name: string;
  /** Columns that tell the table from a namesake. */
  readonly columns: readonly string[];
  readonly label: string;
  readonly newestFirst: string;
  readonly applied?: string;
}

const KNOWN: readonly MigrationTable[] = [
  {
    name: '_prisma_migrations',
    columns: ['migration_name', 'started_at', 'finished_at', 'rolled_back_at'],
    label: 'migration_name',
    newestFirst: 'started_at DESC, migration_name DESC',
    applied: 'finished_at IS NOT NULL AND rolled_back_at IS NULL',
  },
  { name: 'knex_migrations', columns: ['id', 'name'], label: 'name', newestFirst: 'id DESC' },
  { name: 'migrations', columns: ['id', 'timestamp', 'name'], label: 'name', newestFirst: 'id DESC' },
  { name: 'typeorm_migrations', columns: ['id', 'timestamp', 'name'], label: 'name', newestFirst: 'id DESC' },
  { name: 'SequelizeMeta', columns: ['name'], label: 'name', newestFirst: 'name DESC' },
  { name: 'schema_migrations', columns: ['version'], label: 'version', newestFirst: 'version DESC' },
  {
    name: 'flyway_schema_history',
    columns: ['installed_rank', 'script', 'success'],
    label: 'script',
    newestFirst: 'installed_rank DESC',
    applied: 'success',
  },
  { name: '__drizzle_migrations', columns: ['id', 'hash'], label: 'hash', newestFirst: 'id DESC' },
  {
    name: 'django_migrations',
    columns: ['id', 'app', 'name'],
    label: `app || '.' || name`,
    newestFirst: 'id DESC',
  },
  {
    name: 'alembic_version',
    columns: ['version_num'],
    label: 'version_num',
    newestFirst: 'version_num DESC',
  },
];

/** Names of applied migrations, oldest first; empty when no known table exists or may be read. */
export async function appliedMigrations(
  session: PostgresSession,
  tables: LiveTables,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const known of KNOWN) {
    for (const live of tables.values()) {
      if (live.table.name !== known.name || !live.readable || live.rowSecurity) continue;
      const present = new Set(live.columns.map((column) => column.name));
      if (!known.columns.every((column) => present.has(column))) continue;
      const rows = await session.query<{ name: string | null }>(
        `SELECT (${known.label})::text AS name FROM ${quoteTable(live.table)}
          WHERE ${known.applied ?? 'true'} ORDER BY ${known.newestFirst} LIMIT ${LIMIT}`,
        [],
        signal,
      );
      names.push(...rows.reverse().flatMap((row) => (row.name === null ? [] : [row.name])));
    }
  }
  return names.slice(-LIMIT);
}
