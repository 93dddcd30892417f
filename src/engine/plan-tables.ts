/** What a restore would do to the tables of its target, and how far the structure of both differs. */
import type { Manifest, ManifestTable } from '../bundle/manifest.ts';
import type { DatabaseSettings, SourceRow } from '../catalog/catalog.ts';
import type { DatabaseDescription, Table, TableName } from '../source/source.ts';
import type { RestorePlan, Selection, TablePlan } from './engine.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { tableDrift } from './schema-drift.ts';
import { reachingOutside, selectBundledTables } from './selection.ts';
import { orderTables, tableKey, tableLabel } from './table-order.ts';

/** The tables of a restore. */
export interface PlannedTables {
  /** Parents first, by the live foreign keys. */
  readonly tables: readonly ManifestTable[];
  /** In the same order. */
  readonly plans: readonly TablePlan[];
  /** Live tables that are not restored. */
  readonly untouched: readonly TableName[];
  /** The database as it stands; undefined when no table goes into it. */
  readonly live: DatabaseDescription | undefined;
  /** Whether the structure of every table fits. */
  readonly fits: boolean;
  readonly warnings: readonly string[];
  readonly refusals: readonly string[];
}

/** The tables as they stand in the target, by their keys. */
type LiveTables = ReadonlyMap<string, Table>;

/**
 * Compares the selected tables of the bundle with the live ones.
 * @throws HoldfastError INVALID_INPUT, and what the database refuses with
 */
export async function planTables(
  parts: EngineParts,
  target: SourceRow,
  manifest: Manifest,
  selection: Selection,
  signal: AbortSignal,
): Promise<PlannedTables> {
  const bundled = selectBundledTables(manifest, selection);
  const { settings, refusal } = databaseFor(target, manifest, bundled);
  const live = settings && (await (await openDatabase(parts, settings)).describe(signal));
  const liveTables: LiveTables = new Map(live?.tables.map((table) => [tableKey(table), table]));
  const tables = orderByLive(bundled, liveTables);
  const rowsNow = await countRows(parts, settings, tables, liveTables, signal);
  const plans = tables.map((table) => ({
    schema: table.schema,
    name: table.name,
    rowsNow: rowsNow.get(tableKey(table)) ?? null,
    rowsInBundle: table.rowCount,
    drift: live === undefined ? [] : tableDrift(liveTables.get(tableKey(table)), table),
  }));
  const drifted = driftRefusals(plans);
  const restored = new Set(tables.map(tableKey));
  return {
    tables,
    plans,
    untouched: [...liveTables.values()]
      .filter((table) => !restored.has(tableKey(table)))
      .map(({ schema, name }) => ({ schema, name })),
    live,
    fits: drifted.length === 0,
    warnings: reachingOutside(tables),
    refusals: [
      ...(refusal === undefined ? [] : [refusal]),
      ...drifted,
      ...clearedColumnRefusals(target, restored, liveTables),
    ],
  };
}

/** Who is connected to the database that tables go into; null when none do, or it cannot tell. */
export async function openSessions(
  parts: EngineParts,
  target: SourceRow,
  tables: readonly ManifestTable[],
  signal: AbortSignal,
): Promise<RestorePlan['sessions']> {
  if (target.database === null || tables.length === 0) return null;
  return (await (await openDatabase(parts, target.database)).sessions(signal)) ?? null;
}

/** The database that tables of the bundle can go into, or why none can; neither when there are no tables. */
function databaseFor(
  target: SourceRow,
  manifest: Manifest,
  tables: readonly ManifestTable[],
): { settings?: DatabaseSettings; refusal?: string } {
  if (tables.length === 0 || manifest.database === null) return {};
  if (target.database === null) {
    return { refusal: `The source ${target.name} has no database, the bundle has one.` };
  }
  if (target.database.kind !== manifest.database.kind) {
    const { kind } = manifest.database;
    return { refusal: `The bundle holds a ${kind} database, the target is ${target.database.kind}.` };
  }
  return { settings: target.database };
}

/** The live foreign keys decide the order; a table that is not there keeps the keys the bundle knows. */
function orderByLive(tables: readonly ManifestTable[], liveTables: LiveTables): readonly ManifestTable[] {
  const withKeys = tables.map((bundled) => ({
    schema: bundled.schema,
    name: bundled.name,
    bundled,
    foreignKeys:
      liveTables.get(tableKey(bundled))?.foreignKeys ??
      bundled.foreignKeys.map((key) => ({ ...key, deferrable: false })),
  }));
  return orderTables(withKeys).tables.map((table) => table.bundled);
}

/** Rows of the tables that are there, by their keys. */
async function countRows(
  parts: EngineParts,
  settings: DatabaseSettings | undefined,
  tables: readonly ManifestTable[],
  liveTables: LiveTables,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number | null>> {
  const present = tables.filter((table) => liveTables.has(tableKey(table)));
  if (settings === undefined || present.length === 0) return new Map();
  const counts = await (await openDatabase(parts, settings)).countRows(present, signal);
  return new Map(present.map((table, index) => [tableKey(table), counts[index] ?? null]));
}

/** What of the drift a restore refuses: all of it. */
function driftRefusals(plans: readonly TablePlan[]): string[] {
  return plans
    .filter((table) => table.drift.length > 0)
    .map((table) => `${tableLabel(table)}: ${table.drift.join('; ')}`);
}

function clearedColumnRefusals(
  target: SourceRow,
  restored: ReadonlySet<string>,
  liveTables: LiveTables,
): string[] {
  return target.clearedColumns
    .filter((cleared) => restored.has(tableKey(cleared.table)))
    .flatMap((cleared) =>
      cleared.columns.flatMap((name) => {
        const column = liveTables
          .get(tableKey(cleared.table))
          ?.columns.find((candidate) => candidate.name === name);
        if (column === undefined) return [`${tableLabel(cleared.table)} has no column ${name} to clear`];
        return column.nullable
          ? []
          : [`${tableLabel(cleared.table)}.${name} is NOT NULL and cannot be cleared`];
      }),
    );
}
