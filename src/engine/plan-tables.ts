/** What a restore would do to the tables of its target, and how far the structure of both differs. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { Manifest, ManifestTable } from '../bundle/manifest.ts';
import type { DatabaseSettings, SourceRow } from '../catalog/catalog.ts';
import type { Column, DatabaseDescription, Table, TableName } from '../source/source.ts';
import type { OnDrift, RestorePlan, Selection, TablePlan } from './engine.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { type PlannedStructure, planStructure } from './plan-structure.ts';
import { type Adaptation, type TableDrift, tableDrift } from './schema-drift.ts';
import { reachingOutside, selectBundledTables } from './selection.ts';
import { orderTables, tableKey, tableLabel } from './table-order.ts';

/** The tables of a restore. */
export interface PlannedTables {
  /** Those that are restored; parents first, by the foreign keys they will have. */
  readonly tables: readonly ManifestTable[];
  /** How rows go into tables whose structure changed, by {@link tableKey}; only with ADAPT. */
  readonly adaptations: ReadonlyMap<string, Adaptation>;
  /** Of every selected table, in the same order. */
  readonly plans: readonly TablePlan[];
  /** Live tables that are not restored. */
  readonly untouched: readonly TableName[];
  /** The database as it stands; undefined when no table goes into it. */
  readonly live: DatabaseDescription | undefined;
  readonly structure: PlannedStructure;
  /** Whether sequences are set, which a restore of everything does also where it has no tables. */
  readonly movesSequences: boolean;
  /** Whether the structure of every table fits. */
  readonly fits: boolean;
  readonly warnings: readonly string[];
  readonly refusals: readonly string[];
}

/** What the tables are planned for. */
export interface TablesOrder {
  readonly target: SourceRow;
  readonly selection: Selection;
  readonly onDrift: OnDrift;
}

/** The tables as they stand in the target, by their keys. */
type LiveTables = ReadonlyMap<string, Table>;

/**
 * Compares the selected tables of the bundle with the live ones.
 * @throws HoldfastError INVALID_INPUT, and what the database refuses with
 */
export async function planTables(
  parts: EngineParts,
  reader: BundleReader,
  { target, selection, onDrift }: TablesOrder,
  signal: AbortSignal,
): Promise<PlannedTables> {
  const { manifest } = reader;
  const bundled = selectBundledTables(manifest, selection);
  const { settings, refusal } = databaseFor(target, manifest, selection, bundled);
  const live = settings && (await (await openDatabase(parts, settings)).describe(signal));
  const structure = await planStructure(parts, reader, { settings, live, selection, onDrift }, signal);
  const liveTables: LiveTables = new Map(live?.tables.map((table) => [tableKey(table), table]));
  // Tables that are made anew have the keys that the bundle knows.
  const ordered = orderByLive(bundled, structure.structure === 'KEEP' ? liveTables : new Map());
  const rowsNow = await countRows(parts, settings, ordered, liveTables, signal);
  const comparing = live !== undefined && structure.structure !== 'CREATE';
  const compared = ordered.map((table) => ({
    table,
    rowsNow: rowsNow.get(tableKey(table)) ?? null,
    ...(comparing ? tableDrift(liveTables.get(tableKey(table)), table) : AS_IT_WAS),
  }));
  const adapted = onDrift === 'ADAPT' && structure.structure === 'KEEP';
  const plans = compared.map((entry) => planOf(entry, adapted));
  const drifted = structure.structure === 'KEEP' ? driftRefusals(compared, adapted) : [];
  const tables = adapted
    ? compared.filter(({ adaptation }) => adaptation !== undefined).map(({ table }) => table)
    : ordered;
  const restored = new Set(tables.map(tableKey));
  return {
    tables,
    adaptations: adaptationsOf(compared, adapted),
    plans,
    untouched: [...liveTables.values()]
      .filter((table) => table.implicit !== true && !restored.has(tableKey(table)))
      .map(({ schema, name }) => ({ schema, name })),
    live,
    structure,
    movesSequences:
      settings !== undefined && selection.tables === null && (manifest.database?.sequences.length ?? 0) > 0,
    fits: drifted.length === 0,
    warnings: [...reachingOutside(tables), ...structure.warnings, ...lossWarnings(plans)],
    refusals: [
      ...(refusal === undefined ? [] : [refusal]),
      ...structure.refusals,
      ...notMadeAgain(structure, ordered, liveTables),
      ...drifted,
      ...clearedColumnRefusals(
        target,
        structure.structure === 'KEEP'
          ? tables.map((table) => liveTables.get(tableKey(table)) ?? table)
          : tables,
        adaptationsOf(compared, adapted),
      ),
    ],
  };
}

/** A table of the bundle beside the live one. */
interface ComparedTable extends TableDrift {
  readonly table: ManifestTable;
  readonly rowsNow: number | null;
}

const AS_IT_WAS: TableDrift = {
  drift: [],
  adaptation: { skipped: [], retyped: false, numbers: [], reshaped: false, losses: [], refusals: [] },
};

function planOf({ table, rowsNow, drift, adaptation }: ComparedTable, adapted: boolean): TablePlan {
  const losses = adaptation?.losses ?? ['the table is left out: it does not exist in the target'];
  return {
    schema: table.schema,
    name: table.name,
    rowsNow,
    rowsInBundle: table.rowCount,
    drift,
    losses: adapted ? losses : [],
  };
}

function adaptationsOf(
  compared: readonly ComparedTable[],
  adapted: boolean,
): ReadonlyMap<string, Adaptation> {
  if (!adapted) return new Map();
  return new Map(
    compared.flatMap(({ table, adaptation }) =>
      adaptation === undefined ? [] : [[tableKey(table), adaptation] as const],
    ),
  );
}

function lossWarnings(plans: readonly TablePlan[]): string[] {
  return plans
    .filter((table) => table.losses.length > 0)
    .map((table) => `${tableLabel(table)}: ${table.losses.join('; ')}`);
}

/** Tables that are not there, and that the structure of the bundle does not make. */
function notMadeAgain(
  { structure, script }: PlannedStructure,
  tables: readonly ManifestTable[],
  liveTables: LiveTables,
): string[] {
  if (structure === 'KEEP' || script === null) return [];
  const reasons = new Map(script.notCarried.map(({ name, reason }) => [name, reason]));
  return tables.flatMap((table) => {
    const reason = liveTables.has(tableKey(table))
      ? undefined
      : labelsOf(table)
          .map((label) => reasons.get(label))
          .find((found) => found !== undefined);
    return reason === undefined ? [] : [`${tableLabel(table)} cannot be made again: ${reason}`];
  });
}

/** What a script may call a table: its parts may be quoted where they could be read in another way. */
function labelsOf({ schema, name }: TableName): string[] {
  const either = (part: string): string[] => [part, `"${part.replaceAll('"', '""')}"`];
  const names =
    schema === null
      ? either(name)
      : either(schema).flatMap((space) => either(name).map((of) => `${space}.${of}`));
  return names.flatMap((label) => [`TABLE ${label}`, `PARTITION ${label}`]);
}

/** Who is connected to the database that is `changed`; null when it is not, or cannot tell. */
export async function openSessions(
  parts: EngineParts,
  target: SourceRow,
  changed: boolean,
  signal: AbortSignal,
): Promise<RestorePlan['sessions']> {
  if (target.database === null || !changed) return null;
  return (await (await openDatabase(parts, target.database)).sessions(signal)) ?? null;
}

/** The database that what is selected can go into, or why none can; neither when nothing is. */
function databaseFor(
  target: SourceRow,
  manifest: Manifest,
  selection: Selection,
  tables: readonly ManifestTable[],
): { settings?: DatabaseSettings; refusal?: string } {
  if (!selection.database || manifest.database === null) return {};
  // A structure is something to restore too: of views and functions, or of tables that were left out.
  const anyStructure = selection.tables === null && manifest.database.schema !== null;
  if (tables.length === 0 && !anyStructure) return {};
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

/** What of the drift a restore refuses: all of it, or with ADAPT what cannot be adapted to. */
function driftRefusals(compared: readonly ComparedTable[], adapted: boolean): string[] {
  return compared
    .map(({ table, drift, adaptation }) => ({
      table,
      reasons: adapted ? (adaptation?.refusals ?? []) : drift,
    }))
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ table, reasons }) => `${tableLabel(table)}: ${reasons.join('; ')}`);
}

/** `tables` are those that are restored, with the columns they will have; what is left out needs no clearing. */
function clearedColumnRefusals(
  target: SourceRow,
  tables: readonly (TableName & { readonly columns: readonly Pick<Column, 'name' | 'nullable'>[] })[],
  adaptations: ReadonlyMap<string, Adaptation>,
): string[] {
  const byKey = new Map(tables.map((table) => [tableKey(table), table]));
  return target.clearedColumns.flatMap((cleared) => {
    const table = byKey.get(tableKey(cleared.table));
    if (table === undefined) return [];
    const leftOut = adaptations.get(tableKey(cleared.table))?.skipped ?? [];
    return cleared.columns.flatMap((name) => {
      if (leftOut.includes(name)) return [];
      const column = table.columns.find((candidate) => candidate.name === name);
      if (column === undefined) return [`${tableLabel(cleared.table)} has no column ${name} to clear`];
      return column.nullable
        ? []
        : [`${tableLabel(cleared.table)}.${name} is NOT NULL and cannot be cleared`];
    });
  });
}
