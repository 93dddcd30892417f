/** restorePlan: what a restore would do, found out without changing anything. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import type { EntryRecord, Manifest, ManifestTable, ManifestTree } from '../bundle/manifest.ts';
import type { DatabaseSettings, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { DatabaseDescription, FileTree, TreeEntry } from '../source/source.ts';
import type { Actor, RestorePlan, RestorePlanRequest, Selection, TablePlan, TreePlan } from './engine.ts';
import { requireSource } from './find-source.ts';
import { type BundleFile, findBundle, openReader } from './open-bundle.ts';
import { openDatabase } from './open-database.ts';
import { refuseOverlaps } from './overlaps.ts';
import type { EngineParts } from './parts.ts';
import { tableDrift } from './schema-drift.ts';
import { reachingOutside, selectBundledTables, selectBundledTrees } from './selection.ts';
import { orderTables, schemaFingerprint, tableKey, tableLabel } from './table-order.ts';

/** Where a tree of the bundle goes. */
export interface TreeTarget {
  readonly bundled: ManifestTree;
  readonly target: FileTree;
}

/** A plan, and what a restore needs besides. */
export interface PreparedRestore {
  readonly plan: RestorePlan;
  /** Parents first, by the live foreign keys. */
  readonly tables: readonly ManifestTable[];
  readonly trees: readonly TreeTarget[];
  /** Whether the structure of the target fits; false makes a restore SCHEMA_MISMATCH. */
  readonly fits: boolean;
  /** Whether the env file would be written over the one it was read from. */
  readonly overwritesEnvFile: boolean;
}

/** Answers the query. @throws HoldfastError NOT_FOUND, INVALID_INPUT, and what the bundle or target refuse with */
export async function restorePlan(
  parts: EngineParts,
  actor: Actor,
  request: RestorePlanRequest,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const bundle = await findBundle(parts, actor.workspaceId, request.bundle);
  const target = await requireTarget(parts, actor.workspaceId, request.sourceId, bundle);
  const reader = await openReader(parts, bundle, signal);
  try {
    return (await prepareRestore(parts, bundle, reader, target, request.selection, signal)).plan;
  } finally {
    await reader.close();
  }
}

/** The source to restore into. @throws HoldfastError INVALID_INPUT, NOT_FOUND */
export async function requireTarget(
  parts: EngineParts,
  workspaceId: string,
  sourceId: string | null,
  bundle: BundleFile,
): Promise<SourceRow> {
  const id = sourceId ?? bundle.sourceId;
  if (id === null) {
    throw new HoldfastError('INVALID_INPUT', 'The bundle belongs to no source of this workspace.', {
      field: 'sourceId',
      hint: 'Name the source to restore into.',
    });
  }
  return await requireSource(parts, workspaceId, id);
}

/** Makes the plan. */
export async function prepareRestore(
  parts: EngineParts,
  bundle: BundleFile,
  reader: BundleReader,
  source: SourceRow,
  selection: Selection,
  signal: AbortSignal,
): Promise<PreparedRestore> {
  const { manifest } = reader;
  // Links may have changed since the source was made.
  await refuseOverlaps(parts, source);
  // A snapshot from before a restore puts back what was there, runtime references included.
  const target = manifest.trigger === 'PRE_RESTORE' ? { ...source, clearedColumns: [] } : source;
  const warnings: string[] = [];
  const refusals: string[] = [];
  const bundledTables = selectBundledTables(manifest, selection);
  const live = await describeTarget(parts, target, manifest, bundledTables, refusals, signal);
  const ordered = orderByLive(bundledTables, live);
  const tables = await planTables(parts, target, ordered, live, signal);
  const drifted = tables.filter((table) => table.drift.length > 0);
  for (const table of drifted) refusals.push(`${tableLabel(table)}: ${table.drift.join('; ')}`);
  refusals.push(...clearedColumnRefusals(target, ordered, live));
  for (const reach of reachingOutside(ordered)) warnings.push(reach);
  const trees = treeTargets(target, manifest, selection, refusals);
  const treePlans = await planTrees(parts, reader, trees, signal);
  const envFile = planEnvFile(target, manifest, selection, refusals);
  if (manifest.source.id !== target.id) {
    warnings.push(
      `The bundle was made from the source "${manifest.source.name}"; restoring it here needs allowForeignSource.`,
    );
  }
  const kept = new Set(ordered.map(tableKey));
  const untouched = (live?.tables ?? []).filter((table) => !kept.has(tableKey(table)));
  const plan: Omit<RestorePlan, 'hash'> = {
    bundleName: bundle.name,
    bundleChecksum: bundle.checksum,
    target,
    tables,
    untouchedTables: untouched.map(({ schema, name }) => ({ schema, name })),
    trees: treePlans,
    envFile,
    sessions: await openSessions(parts, target, ordered, signal),
    warnings,
    refusals,
  };
  const overwritesEnvFile = await isSameFile(envFile, target.envFile?.path ?? null);
  const place = await placesOf(parts, target, ordered, trees, envFile);
  return {
    plan: { ...plan, hash: planHash(plan, selection, live, [...place, overwritesEnvFile]) },
    tables: ordered,
    trees,
    fits: drifted.length === 0,
    overwritesEnvFile,
  };
}

/** Covers bundle, target and where it is, selection, schema and drift; not row counts, which move. */
function planHash(
  plan: Omit<RestorePlan, 'hash'>,
  selection: Selection,
  live: DatabaseDescription | undefined,
  places: readonly unknown[],
): string {
  const covered = [
    plan.bundleChecksum,
    plan.target.id,
    [selection.database, selection.tables, selection.trees, selection.configTrees, selection.envFile],
    live === undefined ? null : schemaFingerprint(live.tables),
    plan.tables.map((table) => [tableKey(table), table.drift]),
    plan.trees.map((tree) => [tree.area, tree.name, tree.target]),
    places,
    plan.refusals,
  ];
  return createHash('sha256').update(JSON.stringify(covered)).digest('hex');
}

/** Where the restore would write, and what it would do on the way. */
async function placesOf(
  parts: EngineParts,
  target: SourceRow,
  tables: readonly ManifestTable[],
  trees: readonly TreeTarget[],
  envFile: string | null,
): Promise<unknown[]> {
  const restored = new Set(tables.map(tableKey));
  const database = tables.length === 0 ? null : target.database;
  return [
    database === null ? null : await addressOf(parts, database),
    target.clearedColumns
      .filter(({ table }) => restored.has(tableKey(table)))
      .map(({ table, columns }) => [tableKey(table), columns]),
    await Promise.all(
      trees.map(async ({ bundled, target: { path, include, exclude } }) => [
        bundled.area,
        bundled.name,
        await parts.trees.realPath(path),
        include,
        exclude,
      ]),
    ),
    envFile === null ? null : await parts.trees.realPath(envFile),
  ];
}

/** Which database it is, without user and password: those may change without another being meant. */
async function addressOf(parts: EngineParts, settings: DatabaseSettings): Promise<unknown[]> {
  if (settings.kind === 'SQLITE') return [settings.kind, await parts.trees.realPath(settings.path)];
  const url = new URL(settings.url);
  const parameters = ['host', 'port', 'dbname'].map((name) => url.searchParams.get(name));
  return [settings.kind, url.hostname, url.port || '5432', url.pathname, parameters];
}

async function describeTarget(
  parts: EngineParts,
  target: SourceRow,
  manifest: Manifest,
  tables: readonly ManifestTable[],
  refusals: string[],
  signal: AbortSignal,
): Promise<DatabaseDescription | undefined> {
  if (tables.length === 0 || manifest.database === null) return undefined;
  if (target.database === null) {
    refusals.push(`The source ${target.name} has no database, the bundle has one.`);
    return undefined;
  }
  if (target.database.kind !== manifest.database.kind) {
    refusals.push(
      `The bundle holds a ${manifest.database.kind} database, the target is ${target.database.kind}.`,
    );
    return undefined;
  }
  return await (await openDatabase(parts, target.database)).describe(signal);
}

/** The live foreign keys decide the order; a table that is not there keeps the keys the bundle knows. */
function orderByLive(
  tables: readonly ManifestTable[],
  live: DatabaseDescription | undefined,
): readonly ManifestTable[] {
  const liveTables = new Map(live?.tables.map((table) => [tableKey(table), table]));
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

async function planTables(
  parts: EngineParts,
  target: SourceRow,
  tables: readonly ManifestTable[],
  live: DatabaseDescription | undefined,
  signal: AbortSignal,
): Promise<TablePlan[]> {
  const liveTables = new Map(live?.tables.map((table) => [tableKey(table), table]));
  const present = tables.filter((table) => liveTables.has(tableKey(table)));
  const counts =
    target.database === null || present.length === 0
      ? []
      : await (await openDatabase(parts, target.database)).countRows(present, signal);
  const rowsNow = new Map(present.map((table, index) => [tableKey(table), counts[index] ?? null]));
  return tables.map((table) => ({
    schema: table.schema,
    name: table.name,
    rowsNow: rowsNow.get(tableKey(table)) ?? null,
    rowsInBundle: table.rowCount,
    drift: live === undefined ? [] : tableDrift(liveTables.get(tableKey(table)), table),
  }));
}

function clearedColumnRefusals(
  target: SourceRow,
  tables: readonly ManifestTable[],
  live: DatabaseDescription | undefined,
): string[] {
  const liveTables = new Map(live?.tables.map((table) => [tableKey(table), table]));
  const restored = new Set(tables.map(tableKey));
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

function treeTargets(
  target: SourceRow,
  manifest: Manifest,
  selection: Selection,
  refusals: string[],
): TreeTarget[] {
  return selectBundledTrees(manifest, selection).flatMap((bundled) => {
    const trees = bundled.area === 'files' ? target.trees : target.configTrees;
    const tree = trees.find((candidate) => candidate.name === bundled.name);
    if (tree === undefined) {
      refusals.push(`The source ${target.name} has no tree "${bundled.name}" to restore into.`);
      return [];
    }
    // What the bundle left out stays in the target: its globs decide, not today's.
    return [{ bundled, target: { ...tree, include: bundled.include, exclude: bundled.exclude } }];
  });
}

function planEnvFile(
  target: SourceRow,
  manifest: Manifest,
  selection: Selection,
  refusals: string[],
): string | null {
  if (!selection.envFile) return null;
  if (!manifest.envFile) {
    refusals.push('The bundle holds no env file.');
    return null;
  }
  if (target.envFile?.restorePath == null) {
    refusals.push(`The source ${target.name} has no path to restore the env file to.`);
    return null;
  }
  return target.envFile.restorePath;
}

/** Two ways to write a path, or a link, may lead to one file. */
async function isSameFile(a: string | null, b: string | null): Promise<boolean> {
  if (a === null || b === null) return false;
  if (resolve(a) === resolve(b)) return true;
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

async function planTrees(
  parts: EngineParts,
  reader: BundleReader,
  trees: readonly TreeTarget[],
  signal: AbortSignal,
): Promise<TreePlan[]> {
  const plans: TreePlan[] = [];
  for (const { bundled, target } of trees) {
    const entries = treeEntries(reader.entries(signal), bundled);
    const difference = await parts.trees.compare(target, entries, signal);
    plans.push({ area: bundled.area, name: bundled.name, target: target.path, ...difference });
  }
  return plans;
}

/** The entries of one tree, in the form of a walk. */
export async function* treeEntries(
  entries: AsyncIterable<EntryRecord>,
  tree: Pick<ManifestTree, 'area' | 'name'>,
): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    if (entry.kind !== 'TABLE_PART' && entry.area === tree.area && entry.tree === tree.name) {
      yield toTreeEntry(entry);
    }
  }
}

/** An entry of a bundle in the form of a walk. */
export function toTreeEntry(entry: Exclude<EntryRecord, { kind: 'TABLE_PART' }>): TreeEntry {
  const { path, mode, mtimeNs } = entry;
  switch (entry.kind) {
    case 'FILE':
      return { kind: 'FILE', path, mode, mtimeNs, sizeBytes: entry.size };
    case 'DIRECTORY':
      return { kind: 'DIRECTORY', path, mode, mtimeNs };
    case 'SYMLINK':
      return { kind: 'SYMLINK', path, mode, mtimeNs, target: entry.target };
  }
}

async function openSessions(
  parts: EngineParts,
  target: SourceRow,
  tables: readonly ManifestTable[],
  signal: AbortSignal,
): Promise<RestorePlan['sessions']> {
  if (target.database === null || tables.length === 0) return null;
  return (await (await openDatabase(parts, target.database)).sessions(signal)) ?? null;
}
