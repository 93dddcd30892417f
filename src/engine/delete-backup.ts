/** deleteBackup: the file first, durably, then the row; a crash in between is finished at the next start. */
import type { BackupRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { readRequest } from './record-request.ts';
import { requireStorage } from './require-storage.ts';

/** Deletes one backup. @throws HoldfastError NOT_FOUND, INVALID_INPUT (pinned), LOCK_HELD (being read) */
export async function deleteBackup(parts: EngineParts, actor: Actor, backupId: string): Promise<void> {
  const backup = await parts.catalog.backups.find(actor.workspaceId, backupId);
  if (backup === undefined || backup.deletingAt !== null) {
    throw new HoldfastError('NOT_FOUND', 'There is no such backup in this workspace.');
  }
  if (backup.pinned) {
    throw new HoldfastError('INVALID_INPUT', `The backup ${backup.name} is pinned.`, {
      hint: 'Unpin it first.',
    });
  }
  if ((await backupsInUse(parts)).has(backupId)) {
    throw new HoldfastError('LOCK_HELD', `A running record is reading the backup ${backup.name}.`, {
      hint: 'Wait for it to finish or cancel it.',
    });
  }
  await removeBackup(parts, backup, new AbortController().signal);
}

/**
 * Removes file and row. Idempotent: what a crash left half done is finished.
 * @throws HoldfastError STORAGE_UNAVAILABLE; a deletion that begins here is taken back unless the file is gone
 */
export async function removeBackup(
  parts: EngineParts,
  backup: BackupRow,
  signal: AbortSignal,
): Promise<void> {
  await requireStorage(parts, backup.workspaceId, signal);
  if (backup.deletingAt === null) await parts.catalog.backups.markDeleting(backup.id, parts.now());
  try {
    await parts.storage.delete(backup.storageKey, signal);
  } catch (error) {
    // One that was begun earlier was answered, or its process died: recovery goes on with it.
    if (backup.deletingAt === null) await keepUndeleted(parts, backup);
    throw error;
  }
  await parts.catalog.backups.delete(backup.id);
}

/**
 * A bundle that is still there is whole: its backup is one again. So is one whose bundle nobody can look for now; was
 * it removed after all, the next look at the storage finds it missing. One that is certainly gone is left to recovery.
 */
async function keepUndeleted(parts: EngineParts, { id, storageKey }: BackupRow): Promise<void> {
  const gone = await parts.storage.stat(storageKey, new AbortController().signal).then(
    (object) => object === undefined,
    () => false,
  );
  if (!gone) await parts.catalog.backups.markDeleting(id, null);
}

/** Backups that an unfinished record reads. */
export async function backupsInUse(parts: EngineParts): Promise<Set<string>> {
  const unfinished = await parts.catalog.records.unfinished();
  return new Set(
    unfinished
      .filter((record) => record.kind === 'RESTORE' || record.kind === 'VERIFY')
      .flatMap((record) => {
        const { backupId, bundle } = readRequest<{ backupId?: string; bundle?: { backupId?: string } }>(
          record,
        );
        return backupId ?? bundle?.backupId ?? [];
      }),
  );
}
