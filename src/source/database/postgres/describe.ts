/** Reads the structure of a database from its catalog. */

import type { LeftOut } from '../../left-out.ts';
import type { DatabaseDescription, ForeignKey, TableName } from '../../source.ts';
import { appliedMigrations } from './applied-migrations.ts';
import * as catalog from './catalog-queries.ts';
import { describeLargeObjects } from './large-objects.ts';
import type { LiveColumn, LiveTable } from './live-table.ts';
import { onlyList } from './live-table.ts';
import { tableKey, tableLabel } from './quote.ts';
import { isEmpty } from './schema/empty.ts';
import type { PostgresSession } from './session.ts';

/** Tables nobody analyzed are counted when they are small: up to this many bytes in all. */
const COUNTED_BYTES = 32 * 1024 * 1024;
/** A guess for the rest, bytes a row. */
const GUESSED_ROW_BYTES = 100;

/** The ordinary tables, by {@link tableKey}. */
export type LiveTables = ReadonlyMap<string, LiveTable>;

/** Reads the tables alone; row estimates are the server's, 0 where it has none. */
export async function readTables(session: PostgresSession, signal: AbortSignal): Promise<LiveTables> {
  return assemble(session, await session.query<catalog.TableRow>(catalog.TABLES, [], signal), signal);
}

/** Reads everything a {@link DatabaseDescription} tells. */
export async function readDescription(
  session: PostgresSession,
  signal: AbortSignal,
): Promise<{ description: DatabaseDescription; tables: LiveTables }> {
  const rows = await session.query<catalog.TableRow>(catalog.TABLES, [], signal);
  const unknown = rows.filter((row) => row.tuples < 0 || (row.tuples === 0 && row.pages === 0));
  const estimates = await estimateRows(session, unknown, signal);
  const estimated = rows.map((row) => ({
    ...row,
    tuples: estimates.get(row.oid) ?? Math.max(row.tuples, 0),
  }));
  const tables = await assemble(session, estimated, signal);
  const leftOut = await session.query<{ name: string; reason: string }>(catalog.LEFT_OUT, [], signal);
  return {
    tables,
    description: {
      kind: 'POSTGRESQL',
      serverVersion: session.serverVersion,
      databaseName: session.database,
      tables: [
        ...[...tables.values()].map((live) => live.table),
        await describeLargeObjects(session, signal),
      ],
      leftOut: leftOut.map(({ name, reason }): LeftOut => ({ name, reason })),
      appliedMigrations: await appliedMigrations(session, tables, signal),
      empty: await isEmpty(session, signal),
    },
  };
}

async function assemble(
  session: PostgresSession,
  rows: readonly catalog.TableRow[],
  signal: AbortSignal,
): Promise<LiveTables> {
  const ids = rows.map((row) => row.oid);
  const columns = group(
    await session.query<catalog.ColumnRow>(catalog.COLUMNS, [ids, session.versionNumber < 140_000], signal),
  );
  const primaryKeys = group(await session.query<catalog.PrimaryKeyRow>(catalog.PRIMARY_KEYS, [ids], signal));
  const foreignKeys = group(await session.query<catalog.ForeignKeyRow>(catalog.FOREIGN_KEYS, [ids], signal));
  const tables = new Map<string, LiveTable>();
  for (const row of rows) {
    const live = (columns.get(row.oid) ?? []).map(({ oid: _, ...column }): LiveColumn => column);
    const name: TableName = { schema: row.schema, name: row.name };
    const unreadable = obstacle(row);
    tables.set(tableKey(name), {
      oid: row.oid,
      readable: row.readable,
      rowSecurity: row.rowSecurity,
      columns: live,
      table: {
        ...name,
        columns: live.map(({ name, type, nullable, hasDefault, generated }) => ({
          name,
          type,
          nullable,
          hasDefault,
          generated,
        })),
        primaryKey: primaryKeys.get(row.oid)?.[0]?.columns ?? [],
        foreignKeys: (foreignKeys.get(row.oid) ?? []).map(
          (key): ForeignKey => ({
            name: key.name,
            columns: key.columns,
            references: { schema: key.schema, name: key.table },
            referencedColumns: key.referencedColumns,
            deferrable: key.deferrable,
          }),
        ),
        rowEstimate: Math.round(row.tuples),
        ...(unreadable === undefined ? {} : { unreadable }),
      },
    });
  }
  return tables;
}

/** What keeps this user from reading all rows of a table; undefined when nothing does. */
function obstacle(row: catalog.TableRow): string | undefined {
  if (!row.schemaUsable) return `USAGE privilege is missing on schema ${row.schema}`;
  if (!row.readable) return `SELECT privilege is missing on ${tableLabel(row)}`;
  return row.rowsHidden ? `row-level security hides rows of ${tableLabel(row)}` : undefined;
}

/** Row estimates for tables without statistics: exact for small readable ones, a guess by size for others. */
async function estimateRows(
  session: PostgresSession,
  tables: readonly catalog.TableRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const estimates = new Map<string, number>();
  if (tables.length === 0) return estimates;
  const sizes = await session.query<{ oid: string; bytes: number | null }>(
    catalog.SIZES,
    [tables.map((table) => table.oid)],
    signal,
  );
  const bytes = new Map(sizes.map((row) => [row.oid, row.bytes ?? 0]));
  const bySize = [...tables].sort((a, b) => (bytes.get(a.oid) ?? 0) - (bytes.get(b.oid) ?? 0));
  const toCount: catalog.TableRow[] = [];
  let budget = COUNTED_BYTES;
  for (const table of bySize) {
    const size = bytes.get(table.oid) ?? 0;
    budget -= size;
    if (size > 0 && budget >= 0 && table.readable && !table.rowSecurity) toCount.push(table);
    else estimates.set(table.oid, Math.round(size / GUESSED_ROW_BYTES));
  }
  if (toCount.length === 0) return estimates;
  const counts = toCount.map(
    (table) => `SELECT '${table.oid}' AS oid, pg_catalog.count(*)::float8 AS rows FROM ${onlyList([table])}`,
  );
  const counted = await session.query<{ oid: string; rows: number }>(counts.join(' UNION ALL '), [], signal);
  for (const row of counted) estimates.set(row.oid, row.rows);
  return estimates;
}

function group<T extends { oid: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.oid);
    if (group === undefined) groups.set(row.oid, [row]);
    else group.push(row);
  }
  return groups;
}
