import type { Connection } from './open-database.ts';

/** Where migration tools keep their history: a table, and the names in it, oldest first. */
const HISTORIES: readonly { readonly table: string; readonly sql: string }[] = [
  {
    table: '_prisma_migrations',
    sql: 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY started_at',
  },
  { table: 'knex_migrations', sql: 'SELECT name FROM knex_migrations ORDER BY id' },
  { table: '__drizzle_migrations', sql: 'SELECT hash FROM __drizzle_migrations ORDER BY created_at' },
  { table: 'django_migrations', sql: "SELECT app || '.' || name FROM django_migrations ORDER BY id" },
  { table: 'typeorm_migrations', sql: 'SELECT name FROM typeorm_migrations ORDER BY timestamp' },
  { table: 'migrations', sql: 'SELECT name FROM migrations ORDER BY timestamp' },
  { table: 'SequelizeMeta', sql: 'SELECT name FROM SequelizeMeta ORDER BY name' },
  { table: 'schema_migrations', sql: 'SELECT version FROM schema_migrations ORDER BY version' },
];

/** Names of applied migrations, from the first well-known table that has the columns it should have. */
export function appliedMigrations(db: Connection, tables: readonly string[]): string[] {
  for (const { table, sql } of HISTORIES) {
    if (!tables.includes(table)) continue;
    try {
      return db.prepare(sql).pluck().safeIntegers().all().map(String);
    } catch {
      // A table of that name with another purpose: no history.
    }
  }
  return [];
}
