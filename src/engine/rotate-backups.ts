/** rotateBackups: applies a retention policy, says why for each backup, and deletes what no rule keeps. */
import type { BackupSummary } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { backupsInUse, removeBackup } from './delete-backup.ts';
import type { Actor, RotateBackupsRequest, Rotation } from './engine.ts';
import { requireSource } from './find-source.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RotateResult } from './record-result.ts';
import type { RecordRunner } from './record-runner.ts';
import { judge, type RetentionVerdict } from './retention.ts';
import type { RunningRecord } from './running-record.ts';

type RotateRequest = { readonly verdicts: RotateResult['verdicts'] };

/** Judges, and unless it is a dry run queues the deletions. @throws HoldfastError NOT_FOUND, INVALID_INPUT */
export async function rotateBackups(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  request: RotateBackupsRequest,
): Promise<Rotation> {
  if (request.sourceId !== null) await requireSource(parts, actor.workspaceId, request.sourceId);
  const summaries = await parts.catalog.backups.summaries(actor.workspaceId, request.sourceId);
  // Backups of jobs belong to the policies of their jobs.
  const manual = summaries.filter((backup) => backup.jobId === null);
  const verdicts = judge(manual, request.policy, {
    now: parts.now(),
    failingSources: await failingSources(parts, manual),
    inUse: await backupsInUse(parts),
  });
  if (request.dryRun) return { verdicts, record: null };
  const record = await parts.catalog.records.create({
    workspaceId: actor.workspaceId,
    kind: 'ROTATE',
    trigger: 'MANUAL',
    sourceId: request.sourceId,
    requestedBy: actor.name,
    request: toRequest<RotateRequest>({ verdicts: verdicts.map(asJson) }),
  });
  runner.submit(record);
  return { verdicts, record };
}

function asJson({ backup, keep, reason }: RetentionVerdict): RotateResult['verdicts'][number] {
  return { backupId: backup.id, backupName: backup.name, keep, reason, failure: null };
}

async function failingSources(parts: EngineParts, backups: readonly BackupSummary[]): Promise<Set<string>> {
  const failing = new Set<string>();
  for (const sourceId of new Set(backups.flatMap((backup) => backup.sourceId ?? []))) {
    const latest = await parts.catalog.records.latestCreate(sourceId);
    if (latest !== undefined && latest.status === 'FAILED') failing.add(sourceId);
  }
  return failing;
}

/** Executes a ROTATE record. One deletion that fails does not stop the others; it fails the record at the end. */
export async function executeRotate(parts: EngineParts, record: RunningRecord): Promise<void> {
  const { verdicts } = readRequest<RotateRequest>(record.row);
  const doomed = verdicts.filter((verdict) => !verdict.keep);
  const failures = new Map<string, string>();
  let deleted = 0;
  let freedBytes = 0;
  const report = (): void =>
    record.setResult({
      kind: 'ROTATE',
      deleted,
      kept: verdicts.length - doomed.length,
      freedBytes,
      verdicts: verdicts.map((verdict) => ({ ...verdict, failure: failures.get(verdict.backupId) ?? null })),
    });
  report();
  await record.phase('DELETE', async (meter) => {
    meter.expect({ files: doomed.length });
    for (const { backupId, backupName } of doomed) {
      record.signal.throwIfAborted();
      meter.item(backupName);
      try {
        freedBytes += await deleteUnlessNeeded(parts, record, backupId);
        deleted += 1;
      } catch (error) {
        failures.set(backupId, error instanceof HoldfastError ? error.message : 'an unexpected fault');
        parts.log.warn({ err: error, backupId, recordId: record.row.id }, 'a backup could not be deleted');
      }
      meter.add({ files: 1 });
      report();
    }
  });
  if (failures.size > 0) {
    throw new HoldfastError(
      'STORAGE_UNAVAILABLE',
      `${failures.size} of ${doomed.length} backups could not be deleted.`,
      {
        hint: 'The result names each with its reason; the next rotation tries them again.',
      },
    );
  }
}

/** Returns the bytes freed. What was pinned or is read since the verdict stays. */
async function deleteUnlessNeeded(
  parts: EngineParts,
  record: RunningRecord,
  backupId: string,
): Promise<number> {
  const backup = await parts.catalog.backups.find(record.row.workspaceId, backupId);
  if (backup === undefined) return 0;
  if (backup.pinned) throw new HoldfastError('INVALID_INPUT', 'It was pinned meanwhile.');
  if ((await backupsInUse(parts)).has(backupId)) {
    throw new HoldfastError('LOCK_HELD', 'A running record is reading it.');
  }
  if (backup.missing && (await parts.storage.stat(backup.storageKey, record.signal)) !== undefined) {
    await parts.catalog.backups.setMissing(backupId, false);
    throw new HoldfastError('INVALID_INPUT', 'Its bundle was put back; the next rotation judges it anew.');
  }
  await removeBackup(parts, backup, record.signal);
  return Number(backup.sizeBytes);
}
