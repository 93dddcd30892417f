/** One record from its start to an end that is always written. */
import type { RecordRow } from '../catalog/catalog.ts';
import { isFinished } from '../events/persisted-events.ts';
import { collectBuffers } from './collect-buffers.ts';
import type { EngineParts } from './parts.ts';
import type { RequestSecrets } from './request-secrets.ts';
import { RunningRecord, UndecidedError } from './running-record.ts';
import { sayWhatItWaitsFor } from './settle-restore.ts';
import { levelOf } from './verify-request.ts';

/**
 * Does the work of a claimed record.
 * @param work throws to fail the record, UndecidedError to leave it to recovery
 * @returns the record as it ended, or as it stays open
 * @throws what kept its end from being written
 */
export async function performRecord(
  parts: EngineParts,
  row: RecordRow,
  signal: AbortSignal,
  secrets: RequestSecrets,
  work: (record: RunningRecord) => Promise<void>,
): Promise<RecordRow> {
  const record = new RunningRecord(parts, row, signal, secrets);
  parts.log.info({ recordId: row.id, kind: row.kind }, 'record started');
  let failure: unknown;
  // A verification that only reads stays below without it, and would be half as fast.
  const onlyReads = row.kind === 'VERIFY' && levelOf(row) !== 'RESTORE';
  const stopCollecting = onlyReads ? undefined : collectBuffers();
  try {
    await record.start();
    await work(record);
  } catch (error) {
    if (error instanceof UndecidedError) {
      await leaveOpen(parts, record, error);
      return record.row;
    }
    failure = error ?? new Error('a record failed without an error');
  } finally {
    stopCollecting?.();
  }
  const finished = await finish(parts, record, failure);
  parts.log.info(
    { recordId: row.id, kind: row.kind, status: finished.status, code: finished.error?.code },
    'record finished',
  );
  return finished;
}

async function leaveOpen(parts: EngineParts, record: RunningRecord, error: UndecidedError): Promise<void> {
  const { id, kind } = record.row;
  parts.log.warn({ recordId: id, err: error }, 'record left to recovery');
  if (kind !== 'RESTORE') return;
  await sayWhatItWaitsFor(record, error).catch((fault: unknown) => {
    parts.log.warn({ recordId: id, err: fault }, 'why a restore stays open was not written');
  });
}

async function finish(parts: EngineParts, record: RunningRecord, failure: unknown): Promise<RecordRow> {
  try {
    return await record.finish(failure);
  } catch (error) {
    const { id, workspaceId } = record.row;
    const now = await parts.catalog.records.find(workspaceId, id);
    // Canceled in the moment between its turn and its start: it has its end already.
    if (now !== undefined && isFinished(now)) return now;
    throw error;
  }
}
