/** testSource: what a backup of a source would hold, found out without changing anything. */
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { SkippedEntry } from '../source/file-trees.ts';
import type { LeftOut } from '../source/left-out.ts';
import { groundOf } from './drill-ground.ts';
import type { Actor, SourceReport } from './engine.ts';
import { requireSource } from './find-source.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { presentTables, reachingOutside, selectTables } from './selection.ts';
import { orderTables, tableKey, tableLabel } from './table-order.ts';

/** At most this many skipped files are named for one tree. */
const MAX_SKIPPED = 100;

/** @throws HoldfastError NOT_FOUND, SOURCE_UNREACHABLE, UNSAFE_PATH */
export async function testSource(
  parts: EngineParts,
  actor: Actor,
  id: string,
  signal: AbortSignal,
): Promise<SourceReport> {
  const source = await requireSource(parts, actor.workspaceId, id);
  const leftOut: LeftOut[] = [];
  const warnings: string[] = [];
  let database: SourceReport['database'] = null;
  if (source.database !== null) {
    // To a restore a missing file is an empty database; here it would hide a mistyped path.
    if (source.database.kind === 'SQLITE') await parts.trees.check(source.database.path, 'FILE');
    const description = await (await openDatabase(parts, source.database)).describe(signal);
    const selected = selectTables(presentTables(description), source.excludedTables, null);
    const { tables, cyclic } = orderTables(selected.tables);
    leftOut.push(...description.leftOut, ...selected.leftOut);
    warnings.push(...reachingOutside(tables));
    for (const table of tables.filter(({ unreadable }) => unreadable !== undefined)) {
      warnings.push(
        `${tableLabel(table)} cannot be read: ${table.unreadable}. A backup is refused unless it leaves it out.`,
      );
    }
    const live = new Set(description.tables.map(tableKey));
    for (const name of source.excludedTables) {
      if (!live.has(tableKey(name))) warnings.push(`The excluded table ${tableLabel(name)} does not exist.`);
    }
    database = {
      kind: description.kind,
      serverVersion: description.serverVersion,
      name: description.databaseName,
      tables,
      cyclicForeignKeys: cyclic.map(({ table, foreignKey }) => ({ table, foreignKey: foreignKey.name })),
    };
  }
  const trees: SourceReport['trees'][number][] = [];
  for (const [area, list] of [
    ['files', source.trees],
    ['config', source.configTrees],
  ] as const) {
    for (const tree of list) trees.push({ area, name: tree.name, ...(await measure(parts, tree, signal)) });
  }
  if (source.envFile !== null) {
    await parts.trees.check(source.envFile.path, 'FILE');
    leftOut.push({ name: 'env file', reason: 'holds secrets; it is backed up only when asked for' });
  }
  return { database, trees, drill: await tryGround(parts, source, signal), leftOut, warnings };
}

/** Whether a drill would find a place for its database. */
async function tryGround(
  parts: EngineParts,
  source: SourceRow,
  signal: AbortSignal,
): Promise<SourceReport['drill']> {
  if (source.database === null) return null;
  try {
    const server = groundOf(source, source.database.kind);
    if (server !== undefined) await (await parts.openDatabase(server)).scratch.check(signal);
    return { possible: true, reason: null };
  } catch (error) {
    if (signal.aborted || !(error instanceof HoldfastError)) throw error;
    return { possible: false, reason: [error.message, error.hint].filter(Boolean).join(' ') };
  }
}

async function measure(
  parts: EngineParts,
  tree: Parameters<EngineParts['trees']['walk']>[0],
  signal: AbortSignal,
): Promise<{ files: number; bytes: number; skipped: SkippedEntry[] }> {
  const skipped: SkippedEntry[] = [];
  const onSkipped = (entry: SkippedEntry): void => {
    if (skipped.length < MAX_SKIPPED) skipped.push(entry);
  };
  let files = 0;
  let bytes = 0;
  for await (const entry of parts.trees.walk(tree, onSkipped, signal)) {
    if (entry.kind !== 'FILE') continue;
    files += 1;
    bytes += entry.sizeBytes;
    if (!Number.isSafeInteger(bytes))
      throw new HoldfastError('INVALID_INPUT', `The tree ${tree.name} is too large.`);
  }
  return { files, bytes, skipped };
}
