/** Finds out which migrations an application has applied, where its tool keeps them in a table we know. */
import type { LiveTables } from './describe.ts';
import { quoteName } from './names.ts';
import type { MariadbSession } from './session.ts';

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
  { name: 'migrations', columns: ['id', 'migration', 'batch'], label: 'migration', newestFirst: 'id DESC' },
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
    label: "CONCAT(app, '.', name)",
    newestFirst: 'id DESC',
  },
  {
    name: 'alembic_version',
    columns: ['version_num'],
    label: 'version_num',
    newestFirst: 'version_num DESC',
  },
  {
    name: 'doctrine_migration_versions',
    columns: ['version', 'executed_at'],
    label: 'version',
    newestFirst: 'version DESC',
  },
];

/** Names of applied migrations, oldest first; empty when no known table exists or may be read. */
export async function appliedMigrations(
  session: MariadbSession,
  tables: LiveTables,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const known of KNOWN) {
    for (const { table } of tables.values()) {
      if (table.name !== known.name || table.unreadable !== undefined) continue;
      const present = new Set(table.columns.map((column) => column.name));
      if (!known.columns.every((column) => present.has(column))) continue;
      const rows = await session.query(
        `SELECT ${known.label} FROM ${quoteName(table.name)}
          WHERE ${known.applied ?? 'TRUE'} ORDER BY ${known.newestFirst} LIMIT ${LIMIT}`,
        signal,
      );
      names.push(...rows.reverse().flatMap(([name]) => (typeof name === 'string' ? [name] : [])));
    }
  }
  return names.slice(-LIMIT);
}
