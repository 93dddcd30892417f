/** The snapshot that is taken before a restore, so that the restore itself can be undone. */
import { lstat } from 'node:fs/promises';
import type { RecordRow, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../errors.ts';
import { createRequest } from './create-backup.ts';
import type { RestoreBackupRequest, Selection } from './engine.ts';
import type { EngineParts } from './parts.ts';
import type { RecordRunner } from './record-runner.ts';
import type { PreparedRestore } from './restore-plan.ts';
import type { RunningRecord } from './running-record.ts';
import type { PreRestoreContent } from './selection.ts';
import { tableKey } from './table-order.ts';

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
  try {
    const content = await whatIsThere(parts, prepared, request.preRestoreBackup === 'REQUIRED');
    if (content === undefined) return null;
    return await record.phase('PRE_RESTORE_BACKUP', async () => {
      const { workspaceId, requestedBy, id } = record.row;
      const child = await parts.catalog.records.create({
        workspaceId,
        kind: 'CREATE',
        trigger: 'PRE_RESTORE',
        sourceId: target.id,
        parentId: id,
        requestedBy,
        // Sealed with the kept key, as any other: it holds what the source held.
        request: await createRequest(
          parts,
          workspaceId,
          target,
          { selection: selectionOf(content) },
          { preRestore: content },
        ),
      });
      const ended = await runWithin(parts, record, runner, child);
      for (const warning of ended.warnings) {
        if (!record.warnings.includes(warning)) record.warn(`Snapshot before the restore: ${warning}`);
      }
      if (ended.status === 'SUCCEEDED' && ended.backupId !== null) return ended.backupId;
      throwIfAborted(record.signal);
      if (ended.status === 'CANCELED') {
        throw new HoldfastError('CANCELED', 'The snapshot before the restore was canceled.', {
          hint: 'Nothing was changed. Start the restore again, or waive the snapshot with preRestoreBackup.',
        });
      }
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

/** The child as it ended; also when somebody canceled it before its start. */
async function runWithin(
  parts: EngineParts,
  record: RunningRecord,
  runner: RecordRunner,
  child: RecordRow,
): Promise<RecordRow> {
  try {
    return await runner.runWithin(record, child);
  } catch (error) {
    const now = await parts.catalog.records.find(child.workspaceId, child.id);
    if (now?.status === 'CANCELED') return now;
    throw error;
  }
}

/** What the restore replaces. Trees and files that do not exist yet have nothing to be kept. */
async function whatIsThere(
  parts: EngineParts,
  prepared: PreparedRestore,
  complete: boolean,
): Promise<PreRestoreContent | undefined> {
  const trees: PreRestoreContent['trees'][number][] = [];
  for (const { bundled, target } of prepared.trees) {
    if (await exists(target.path)) trees.push({ area: bundled.area, tree: target });
  }
  const { envFile } = prepared.plan;
  // A link at that path stays; the file it leads to is the one that is replaced.
  const written = envFile === null ? null : await parts.trees.realPath(envFile);
  const envFilePath = written !== null && (await exists(written)) ? written : null;
  const restored = new Set(prepared.tables.map(tableKey));
  const tables = prepared.plan.tables
    .filter((table) => table.rowsNow !== null && restored.has(tableKey(table)))
    .map(({ schema, name }) => ({ schema, name }));
  // A structure that is replaced is backed up although none of the tables may be there: routines and views are.
  const database = tables.length > 0 || prepared.structure.structure === 'REPLACE';
  if (!database && trees.length === 0 && envFilePath === null) return undefined;
  return { database, tables, trees, envFilePath, complete };
}

/** The same in the words of a request, for whoever reads the record. */
function selectionOf({ database, tables, trees, envFilePath }: PreRestoreContent): Selection {
  const named = (area: 'files' | 'config'): string[] =>
    trees.filter((selected) => selected.area === area).map(({ tree }) => tree.name);
  return {
    database,
    tables,
    trees: named('files'),
    configTrees: named('config'),
    envFile: envFilePath !== null,
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
