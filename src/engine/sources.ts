/** createSource, updateSource and deleteSource: what a source may be, checked before anything is written. */
import { isDeepStrictEqual } from 'node:util';
import type { DatabaseSettings, RecordRow, SourceDefinition, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { FileTree } from '../source/file-trees.ts';
import { admit } from './admission.ts';
import type { Actor, SourceChange } from './engine.ts';
import { requireSource } from './find-source.ts';
import { isHeldElsewhere } from './lease.ts';
import { refuseOverlaps } from './overlaps.ts';
import type { EngineParts } from './parts.ts';
import type { RecordRunner } from './record-runner.ts';
import type { Recovery } from './recover.ts';
import { readJournal } from './restore-journal.ts';
import { levelOf } from './verify-request.ts';

/** @throws HoldfastError INVALID_INPUT, UNSAFE_PATH, SOURCE_UNREACHABLE (a path that is not there) */
export async function createSource(
  parts: EngineParts,
  actor: Actor,
  definition: SourceDefinition,
): Promise<SourceRow> {
  await check(parts, definition);
  return await parts.catalog.sources.create(actor.workspaceId, definition);
}

/**
 * While a restore is going on nothing may change, but for one thing: where the database of a restore lies that
 * cannot be asked how it ended. Recovery then asks there.
 * @throws HoldfastError NOT_FOUND, LOCK_HELD (a restore is going on) and what {@link createSource} throws
 */
export async function updateSource(
  parts: EngineParts,
  runner: RecordRunner,
  recovery: Recovery,
  actor: Actor,
  id: string,
  change: SourceChange,
): Promise<SourceRow> {
  const { id: _, workspaceId, createdAt: __, ...before } = await requireSource(parts, actor.workspaceId, id);
  const { name } = before;
  const drill = { url: null, onOwnServer: false, ...before.drill, ...change.drill };
  const definition: SourceDefinition = { ...before, ...change, drill };
  // A restore that dies finds its files and its database again through the source it began with.
  const restoring = await restoreOf(parts, id);
  if (restoring === undefined) {
    await check(parts, definition);
    return await admit(async () => {
      // The check takes its time, and a restore may have begun meanwhile.
      const begun = await restoreOf(parts, id);
      if (begun !== undefined) throw busyWith(begun, name, 'change');
      await refuseWhileDrilled(parts, id, before, definition);
      return await parts.catalog.sources.update(workspaceId, id, definition);
    });
  }
  if (!(await isLeftOpen(parts, runner, restoring))) throw busyWith(restoring, name, 'change');
  if (!onlyReachesElsewhere(before, definition)) throw waitsForItsDatabase(restoring, name);
  await refuseWhileDrilled(parts, id, before, definition);
  await checkDatabase(parts, definition.database);
  await refuseOverlapsOfDatabase(parts, definition);
  const updated = await parts.catalog.sources.update(workspaceId, id, definition);
  recovery.tryAgain(restoring);
  return updated;
}

/** @throws HoldfastError NOT_FOUND, LOCK_HELD */
export async function deleteSource(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  id: string,
): Promise<void> {
  const source = await requireSource(parts, actor.workspaceId, id);
  await admit(async () => {
    const busy = (await parts.catalog.records.unfinished()).find((record) => record.sourceId === id);
    if (busy !== undefined) {
      const undecided = busy.kind === 'RESTORE' && (await isLeftOpen(parts, runner, busy));
      throw undecided ? waitsForItsDatabase(busy, source.name) : busyWith(busy, source.name, 'delete');
    }
    await parts.catalog.sources.delete(actor.workspaceId, id);
  });
}

/** The restore of a source that has not ended. */
async function restoreOf(parts: EngineParts, sourceId: string): Promise<RecordRow | undefined> {
  return (await parts.catalog.records.unfinished()).find(
    (record) => record.sourceId === sourceId && record.kind === 'RESTORE',
  );
}

/** A drill that dies finds the database it made again through the source it began with. */
async function refuseWhileDrilled(
  parts: EngineParts,
  id: string,
  before: SourceDefinition,
  after: SourceDefinition,
): Promise<void> {
  const same =
    isDeepStrictEqual(before.database, after.database) && isDeepStrictEqual(before.drill, after.drill);
  if (same) return;
  const drill = (await parts.catalog.records.unfinished()).find(
    (record) => record.sourceId === id && record.kind === 'VERIFY' && levelOf(record) === 'RESTORE',
  );
  if (drill !== undefined) throw busyWith(drill, before.name, 'change');
}

function busyWith(record: RecordRow, sourceName: string, then: string): HoldfastError {
  return new HoldfastError('LOCK_HELD', `The record ${record.id} is working on the source ${sourceName}.`, {
    hint: `Wait for it to finish or cancel it, then ${then} the source.`,
  });
}

function waitsForItsDatabase(record: RecordRow, sourceName: string): HoldfastError {
  return new HoldfastError(
    'LOCK_HELD',
    `The restore ${record.id} of the source ${sourceName} waits for its database to say how it ended.`,
    {
      hint: 'Until then only the address of the database can change, and not its kind. If it will never answer again, call decideRestore.',
    },
  );
}

/** Whether a restore came to its commit, has not ended, and nobody but recovery is left to work on it. */
async function isLeftOpen(parts: EngineParts, runner: RecordRunner, row: RecordRow): Promise<boolean> {
  if (runner.isExecuting(row.id) || isHeldElsewhere(parts, row)) return false;
  return (await readJournal(parts, row.id)) !== undefined;
}

function onlyReachesElsewhere(before: SourceDefinition, after: SourceDefinition): boolean {
  if (before.database === null || before.database.kind !== after.database?.kind) return false;
  return isDeepStrictEqual({ ...before, database: null }, { ...after, database: null });
}

async function refuseOverlapsOfDatabase(parts: EngineParts, definition: SourceDefinition): Promise<void> {
  try {
    await refuseOverlaps(parts, definition);
  } catch (error) {
    // In the middle of its swap a tree is not there to be looked at; the next restore looks again.
    if (!(error instanceof HoldfastError && error.code === 'SOURCE_UNREACHABLE')) throw error;
  }
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
  await checkDatabase(parts, database);
  await checkDrill(parts, definition);
  await checkTrees(parts, trees, 'trees');
  await checkTrees(parts, configTrees, 'configTrees');
  if (envFile !== null) {
    await parts.trees.check(envFile.path, 'FILE');
    if (envFile.restorePath !== null) await parts.trees.check(envFile.restorePath, 'NEW_FILE');
  }
  await refuseOverlaps(parts, definition);
}

async function checkDatabase(parts: EngineParts, database: DatabaseSettings | null): Promise<void> {
  // After a disaster a source is made first and its database by the restore.
  if (database?.kind === 'SQLITE') await parts.trees.check(database.path, 'NEW_FILE');
  // Opening connects to nothing; it refuses an address that cannot be one.
  if (database !== null && database.kind !== 'SQLITE') await parts.openDatabase(database);
}

/** @throws HoldfastError INVALID_INPUT for a scratch server that cannot be one of this source */
async function checkDrill(parts: EngineParts, { database, drill }: SourceDefinition): Promise<void> {
  if (drill === undefined || drill.url === null) return;
  if (database === null || database.kind === 'SQLITE') {
    throw new HoldfastError('INVALID_INPUT', 'drill.url is for sources with a database server.', {
      field: 'drill.url',
      hint: 'Leave it out: drills of SQLite use a temporary file, and files alone need no server.',
    });
  }
  await parts.openDatabase({ kind: database.kind, url: drill.url });
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
