/** Writes the tables of a snapshot into a bundle, parents first. */
import type { BundleWriter } from '../bundle/bundle.ts';
import type { ManifestDatabase } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type { LeftOut } from '../source/left-out.ts';
import type { DatabaseSnapshot, Table } from '../source/source.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RunningRecord } from './running-record.ts';
import { type BundleContent, presentTables, reachingOutside, selectTables } from './selection.ts';
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
  const selected = selectTables(presentTables(description), content.excludedTables, content.tables);
  const readable = requireReadable(record, selected.tables, content.leaveOutUnreadable);
  const ordered = orderTables(readable.tables).tables;
  for (const warning of reachingOutside(ordered)) record.warn(warning);
  meter.expect({ rows: ordered.reduce((sum, table) => sum + table.rowEstimate, 0) });
  const script = await snapshot.readSchema(signal);
  for (const { name, reason } of script.notCarried)
    record.warn(`The structure of ${name} is not carried: ${reason}`);
  const schema = await writer.addSchema(script, signal, description.kind);
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
    schema,
  };
  return { database, leftOut: [...description.leftOut, ...selected.leftOut, ...readable.leftOut] };
}

/**
 * Tables that this user may not read refuse a backup by name before a row is read, or are left out with a warning.
 * @throws HoldfastError INVALID_INPUT
 */
function requireReadable(
  record: RunningRecord,
  tables: readonly Table[],
  leaveOut: boolean,
): { tables: readonly Table[]; leftOut: readonly LeftOut[] } {
  const leftOut = tables.flatMap((table): LeftOut[] =>
    table.unreadable === undefined ? [] : [{ name: tableLabel(table), reason: table.unreadable }],
  );
  if (leftOut.length === 0) return { tables, leftOut };
  if (!leaveOut) {
    throw new HoldfastError(
      'INVALID_INPUT',
      `These tables cannot be read: ${leftOut.map(({ name, reason }) => `${name} (${reason})`).join(', ')}.`,
      {
        field: 'leaveOutUnreadable',
        hint: 'Give the user of the source the privilege, exclude the tables, or set leaveOutUnreadable.',
      },
    );
  }
  for (const { name, reason } of leftOut) record.warn(`${name} was left out: ${reason}`);
  return { tables: tables.filter((table) => table.unreadable === undefined), leftOut };
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
