/** reconcileStorage: says of every backup whether its bundle is where the catalog has it. */
import type { StoredBackup } from '../catalog/catalog.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Reconciliation } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { requireStorage } from './require-storage.ts';
import { unknownObjects } from './unknown-bundles.ts';

/** Backups read from the catalog at once. */
const PAGE = 500;
/** A storage that fails so many times in a row is not asked for the rest. */
const MOST_FAULTS_IN_A_ROW = 20;

/**
 * Compares the catalog of a workspace with its folder in the storage, and marks what vanished or came back. Changes
 * nothing else, and nothing at all of a backup whose bundle cannot be looked for.
 * @param dryRun counts, and marks nothing
 * @throws HoldfastError STORAGE_UNAVAILABLE when the storage is not there or fails again and again, CANCELED
 */
export async function reconcileStorage(
  parts: EngineParts,
  workspaceId: string,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Reconciliation> {
  await requireStorage(parts, workspaceId, signal);
  const counts = { checked: 0, missing: 0, vanished: 0, returned: 0, undecided: 0 };
  let faultsInARow = 0;
  for await (const backup of storedBackups(parts, workspaceId)) {
    throwIfAborted(signal);
    try {
      const there = await isThere(parts, workspaceId, backup, signal);
      faultsInARow = 0;
      counts.checked += 1;
      if (!there) counts.missing += 1;
      if (there !== backup.missing) continue;
      counts[there ? 'returned' : 'vanished'] += 1;
      if (!dryRun) await mark(parts, backup, !there);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'CANCELED') throw error;
      await requireStorage(parts, workspaceId, signal);
      parts.log.warn({ err: error, backupId: backup.id }, 'a bundle could not be looked for');
      counts.undecided += 1;
      faultsInARow += 1;
      if (faultsInARow === MOST_FAULTS_IN_A_ROW) throw error;
    }
  }
  let unknown = 0;
  for await (const _ of unknownObjects(parts, workspaceId, () => true, signal)) unknown += 1;
  return { ...counts, unknown };
}

async function mark(parts: EngineParts, { id, name }: StoredBackup, missing: boolean): Promise<void> {
  await parts.catalog.backups.setMissing(id, missing);
  const said = { backupId: id, backup: name };
  if (missing) parts.log.warn(said, 'a bundle is gone from the storage');
  else parts.log.info(said, 'a bundle that was missing is in the storage again');
}

async function* storedBackups(parts: EngineParts, workspaceId: string): AsyncGenerator<StoredBackup> {
  for (let after: string | null = null; ; ) {
    const page: readonly StoredBackup[] = await parts.catalog.backups.stored(workspaceId, after, PAGE);
    yield* page;
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return;
    after = last.id;
  }
}

async function isThere(
  parts: EngineParts,
  workspaceId: string,
  { storageKey }: StoredBackup,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await parts.storage.stat(storageKey, signal)) !== undefined) return true;
  // Asked again after each look: the storage may have gone since the last.
  await requireStorage(parts, workspaceId, signal);
  return false;
}
