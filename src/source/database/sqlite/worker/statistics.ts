/** What ANALYZE found out: it is lost with an index that is dropped, but still holds when the index comes back. */
import type { Connection } from './open-database.ts';

const TABLES = ['sqlite_stat1', 'sqlite_stat4'] as const;

/** Keeps the statistics aside; the answer puts back those of tables and indexes that are there then. */
export function keepStatistics(db: Connection): () => void {
  const kept = TABLES.filter((table) => exists(db, table));
  for (const table of kept) db.exec(`CREATE TEMP TABLE holdfast_${table} AS SELECT * FROM main.${table}`);
  return () => {
    for (const table of kept) {
      db.exec(`DELETE FROM main.${table};
        INSERT INTO main.${table} SELECT * FROM temp.holdfast_${table}
        WHERE tbl IN (SELECT name FROM main.sqlite_schema WHERE type = 'table')
          AND (idx IS NULL OR idx IN (SELECT name FROM main.sqlite_schema WHERE type IN ('index', 'table')))`);
    }
  };
}

function exists(db: Connection, table: string): boolean {
  return db.prepare('SELECT 1 FROM main.sqlite_schema WHERE name = ?').get(table) !== undefined;
}
