/** Finds out which migrations an application has applied, where its tool keeps them in a table we know. */
import { migrationQueries, oldestFirst } from '../../migration-histories.ts';
import type { Connection } from './open-database.ts';
import { quoteName } from './sql-names.ts';
import type { TableLayout } from './table-layout.ts';

/** Names of applied migrations, oldest first. */
export function appliedMigrations(db: Connection, tables: readonly TableLayout[]): readonly string[] {
  const candidates = tables.map(({ name, columns }) => ({
    name,
    columns,
    quoted: `main.${quoteName(name)}`,
  }));
  return oldestFirst(
    migrationQueries(candidates, quoteName).map((sql) => db.prepare(sql).pluck().safeIntegers().all()),
  );
}
