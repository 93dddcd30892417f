/** The snapshot that is taken before a restore, so that the restore itself can be undone. */
import { lstat } from 'node:fs/promises';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../errors.ts';
import { createRequest } from './create-backup.ts';
import type { RestoreBackupRequest, Selection } from './engine.ts';
import type { EngineParts } from './parts.ts';
import type { RecordRunner } from './record-runner.ts';
import type { PreparedRestore } from './restore-plan.ts';
import type { RunningRecord } from './running-record.ts';

/**
 * Backs up what the restore is going to replace, as a record of its own.
 * @returns the backup's id; null when none was asked for, or it failed and that was allowed
 */
export async function backUpTarget(
  parts: EngineParts,
  record: RunningRecord,
  runner: RecordRunner,
  request: RestoreBackupRequest,
  target: SourceRow,
  prepared: PreparedRestore,
): Promise<string | null> {
  // A dry run leaves nothing to undo.
  if (request.preRestoreBackup === 'NONE' || request.dryRun) return null;
  const selection = await whatIsThere(target, prepared);
  if (selection === undefined) return null;
  try {
    return await record.phase('PRE_RESTORE_BACKUP', async () => {
      const { workspaceId, requestedBy, id } = record.row;
      const child = await parts.catalog.records.create({
        workspaceId,
        kind: 'CREATE',
        trigger: 'PRE_RESTORE',
        sourceId: target.id,
        parentId: id,
        requestedBy,
        request: createRequest(parts, workspaceId, target, selection),
      });
      const ended = await runner.runWithin(record, child);
      if (ended.status === 'SUCCEEDED' && ended.backupId !== null) return ended.backupId;
      throwIfAborted(record.signal);
      throw new HoldfastError(
        ended.error?.code ?? 'INTERNAL',
        `The snapshot before the restore failed: ${ended.error?.message ?? 'for an unknown reason'}`,
        { hint: 'Nothing was changed. Mend the cause, or waive the snapshot with preRestoreBackup.' },
      );
    });
  } catch (error) {
    if (request.preRestoreBackup === 'REQUIRED' || record.signal.aborted) throw error;
    if (!(error instanceof HoldfastError)) throw error;
    record.warn(`${error.message} The restore went on without it, as it was asked to.`);
    return null;
  }
}

/** Trees that do not exist yet have nothing to be kept. */
async function whatIsThere(target: SourceRow, prepared: PreparedRestore): Promise<Selection | undefined> {
  const existing = new Set<string>();
  for (const { bundled, target: tree } of prepared.trees) {
    if (await exists(tree.path)) existing.add(`${bundled.area}/${bundled.name}`);
  }
  const named = (area: 'files' | 'config'): string[] =>
    prepared.trees
      .filter(({ bundled }) => bundled.area === area && existing.has(`${area}/${bundled.name}`))
      .map(({ bundled }) => bundled.name);
  const database = prepared.tables.length > 0;
  if (!database && existing.size === 0) return undefined;
  return {
    database,
    tables: null,
    trees: named('files'),
    configTrees: named('config'),
    envFile: prepared.plan.envFile !== null && target.envFile !== null && (await exists(target.envFile.path)),
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
