/** Writes the tables of a snapshot into a bundle, parents first. */
import type { BundleWriter } from '../bundle/bundle.ts';
import type { ManifestDatabase } from '../bundle/manifest.ts';
import type { DatabaseSnapshot, LeftOut, Table } from '../source/source.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RunningRecord } from './running-record.ts';
import { type BundleContent, reachingOutside, selectTables } from './selection.ts';
import { orderTables, schemaFingerprint, tableLabel } from './table-order.ts';

/** What a bundle holds of a database. */
export interface WrittenDatabase {
  /** As the manifest tells it. */
  readonly database: ManifestDatabase;
  /** What the bundle does not hold, and why. */
  readonly leftOut: readonly LeftOut[];
}

/** Writes the tables that `content` asks for. @throws HoldfastError INVALID_INPUT for one that cannot be had */
export async function writeTables(
  record: RunningRecord,
  content: BundleContent,
  snapshot: DatabaseSnapshot,
  writer: BundleWriter,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<WrittenDatabase> {
  const { description } = snapshot;
  const selected = selectTables(description.tables, content.excludedTables, content.tables);
  const ordered = orderTables(selected.tables).tables;
  for (const warning of reachingOutside(ordered)) record.warn(warning);
  meter.expect({ rows: ordered.reduce((sum, table) => sum + table.rowEstimate, 0) });
  const tables: ManifestDatabase['tables'] = [];
  for (const table of ordered) {
    meter.item(tableLabel(table));
    const rows = snapshot.readRows(table, signal);
    tables.push(await writer.addTable(structureOf(table), rows, meter.add, signal));
  }
  const sequences = await snapshot.readSequences(ordered, signal);
  const database = {
    kind: description.kind,
    serverVersion: description.serverVersion,
    name: description.databaseName,
    snapshotAt: snapshot.instant.toISOString(),
    schemaFingerprint: schemaFingerprint(ordered),
    appliedMigrations: [...description.appliedMigrations],
    tables,
    sequences: sequences.map(({ schema, name, lastValue, isCalled }) => ({
      schema,
      name,
      lastValue,
      isCalled,
    })),
  };
  return { database, leftOut: [...description.leftOut, ...selected.leftOut] };
}

/** What the manifest remembers of the structure of a table. */
function structureOf(table: Table): Parameters<BundleWriter['addTable']>[0] {
  return {
    schema: table.schema,
    name: table.name,
    columns: table.columns
      .filter((column) => !column.generated)
      .map(({ name, type, nullable }) => ({ name, type, nullable })),
    primaryKey: [...table.primaryKey],
    foreignKeys: table.foreignKeys.map((key) => ({
      name: key.name,
      columns: [...key.columns],
      references: { schema: key.references.schema, name: key.references.name },
      referencedColumns: [...key.referencedColumns],
    })),
  };
}
