import { basename } from 'node:path';
import type { LeftOut } from '../../../left-out.ts';
import type { DatabaseDescription, Table } from '../../../source.ts';
import { appliedMigrations } from './applied-migrations.ts';
import { foreignKeysOf, primaryKeyOf } from './foreign-keys.ts';
import type { Connection } from './open-database.ts';
import { rowEstimates } from './row-counts.ts';
import { isMarker, schemaObjects } from './schema-objects.ts';
import { foldName } from './sql-names.ts';
import { findLayout, type TableLayout } from './table-layout.ts';

/** The structure of the database as the open transaction sees it. */
export function describeDatabase(db: Connection, path: string): DatabaseDescription {
  const { names, leftOut } = listTables(db);
  const layouts = new Map<string, TableLayout>();
  for (const name of names) {
    const layout = findLayout(db, name);
    if (layout !== undefined) layouts.set(foldName(name), layout);
  }
  const estimates = rowEstimates(db, [...layouts.values()]);
  return {
    kind: 'SQLITE',
    serverVersion: String(db.prepare('SELECT sqlite_version()').pluck().get()),
    databaseName: basename(path),
    tables: [...layouts.values()].map((layout) => ({
      ...describeTable(layout),
      foreignKeys: foreignKeysOf(db, layout.name, (name) => layouts.get(foldName(name))),
      rowEstimate: estimates.get(layout.name) ?? 0,
    })),
    leftOut,
    appliedMigrations: appliedMigrations(db, [...layouts.values()]),
    empty: schemaObjects(db).length === 0,
  };
}

function describeTable(layout: TableLayout): Omit<Table, 'foreignKeys' | 'rowEstimate'> {
  // SQLite lets NULL into the primary key of an ordinary table, but not of these.
  const keyForbidsNull = layout.withoutRowid || layout.strict;
  return {
    schema: null,
    name: layout.name,
    columns: layout.columns.map((column) => {
      const isRowid = column.name === layout.rowidAlias;
      return {
        name: column.name,
        type: column.type,
        nullable: !(column.notNull || isRowid || (keyForbidsNull && column.keyPlace > 0)),
        hasDefault: column.hasDefault || isRowid,
        generated: column.generated,
      };
    }),
    primaryKey: primaryKeyOf(layout),
  };
}

function listTables(db: Connection): { names: string[]; leftOut: LeftOut[] } {
  const rows = db
    .prepare<[], { name: string; type: string; sql: string | null }>(
      `SELECT l.name, l.type, s.sql FROM pragma_table_list l
       LEFT JOIN main.sqlite_schema s ON s.name = l.name AND s.type IN ('table', 'view')
       WHERE l.schema = 'main' ORDER BY l.name`,
    )
    .all();
  const names: string[] = [];
  const leftOut: LeftOut[] = [];
  for (const { name, type, sql } of rows) {
    if (/^sqlite_/i.test(name) || isMarker(name, sql)) continue;
    if (type === 'table' || type === 'shadow') names.push(name);
    else leftOut.push({ name, reason: REASONS[type] ?? `It is a ${type}, which cannot be carried.` });
  }
  return { names, leftOut };
}

const REASONS: Readonly<Record<string, string>> = {
  view: 'A view holds no rows of its own.',
  virtual: 'A virtual table holds no rows of its own; the tables that it keeps them in are backed up.',
};
