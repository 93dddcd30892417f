/** createSource, updateSource and deleteSource: what a source may be, checked before anything is written. */
import type { SourceDefinition, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { FileTree } from '../source/source.ts';
import type { Actor } from './engine.ts';
import { requireSource } from './find-source.ts';
import { refuseOverlaps } from './overlaps.ts';
import type { EngineParts } from './parts.ts';

/** @throws HoldfastError INVALID_INPUT, UNSAFE_PATH, SOURCE_UNREACHABLE (a path that is not there) */
export async function createSource(
  parts: EngineParts,
  actor: Actor,
  definition: SourceDefinition,
): Promise<SourceRow> {
  await check(parts, definition);
  return await parts.catalog.sources.create(actor.workspaceId, definition);
}

/** @throws HoldfastError NOT_FOUND, LOCK_HELD (a restore is going on) and what {@link createSource} throws */
export async function updateSource(
  parts: EngineParts,
  actor: Actor,
  id: string,
  change: Partial<SourceDefinition>,
): Promise<SourceRow> {
  const { name, database, excludedTables, clearedColumns, trees, configTrees, envFile } = await requireSource(
    parts,
    actor.workspaceId,
    id,
  );
  // A restore that dies finds its files and its database again through the source it began with.
  const restoring = (await parts.catalog.records.unfinished()).find(
    (record) => record.sourceId === id && record.kind === 'RESTORE',
  );
  if (restoring !== undefined) throw busyWith(restoring.id, name, 'change');
  const definition = {
    name,
    database,
    excludedTables,
    clearedColumns,
    trees,
    configTrees,
    envFile,
    ...change,
  };
  await check(parts, definition);
  return await parts.catalog.sources.update(actor.workspaceId, id, definition);
}

/** @throws HoldfastError NOT_FOUND, LOCK_HELD */
export async function deleteSource(parts: EngineParts, actor: Actor, id: string): Promise<void> {
  const source = await requireSource(parts, actor.workspaceId, id);
  const busy = (await parts.catalog.records.unfinished()).find((record) => record.sourceId === id);
  if (busy !== undefined) {
    throw busyWith(busy.id, source.name, 'delete');
  }
  await parts.catalog.sources.delete(actor.workspaceId, id);
}

function busyWith(recordId: string, sourceName: string, then: string): HoldfastError {
  return new HoldfastError('LOCK_HELD', `The record ${recordId} is working on the source ${sourceName}.`, {
    hint: `Wait for it to finish or cancel it, then ${then} the source.`,
  });
}

async function check(parts: EngineParts, definition: SourceDefinition): Promise<void> {
  const { name, database, trees, configTrees, envFile } = definition;
  if (name.trim() === '' || name.length > 100) {
    throw new HoldfastError('INVALID_INPUT', 'The name of a source has 1 to 100 characters.', {
      field: 'name',
    });
  }
  if (database === null && trees.length === 0 && configTrees.length === 0 && envFile === null) {
    throw new HoldfastError(
      'INVALID_INPUT',
      'A source needs a database, a tree, a configuration directory or an env file.',
    );
  }
  if (database?.kind === 'SQLITE') await parts.trees.check(database.path, 'FILE');
  // Opening connects to nothing; it refuses an address that cannot be one.
  if (database?.kind === 'POSTGRESQL') parts.openDatabase(database);
  await checkTrees(parts, trees, 'trees');
  await checkTrees(parts, configTrees, 'configTrees');
  if (envFile !== null) {
    await parts.trees.check(envFile.path, 'FILE');
    if (envFile.restorePath !== null) await parts.trees.check(envFile.restorePath, 'NEW_FILE');
  }
  await refuseOverlaps(parts, definition);
}

async function checkTrees(parts: EngineParts, trees: readonly FileTree[], field: string): Promise<void> {
  const names = new Set<string>();
  for (const tree of trees) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(tree.name)) {
      throw new HoldfastError('INVALID_INPUT', `"${tree.name}" cannot be the name of a tree.`, {
        field,
        hint: 'Use letters, digits, dot, underscore and hyphen; begin with a letter or digit.',
      });
    }
    if (names.has(tree.name.toLowerCase())) {
      throw new HoldfastError('INVALID_INPUT', `Two trees are named "${tree.name}".`, { field });
    }
    names.add(tree.name.toLowerCase());
    parts.trees.checkGlobs(tree);
    await parts.trees.check(tree.path, 'DIRECTORY');
  }
}
