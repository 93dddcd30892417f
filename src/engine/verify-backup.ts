/** verifyBackup: re-reads a stored bundle and says whether it still is what it was. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { checkChecksum, withCheckedBundle } from './check-bundle.ts';
import type { Actor } from './engine.ts';
import { findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import type { RunningRecord } from './running-record.ts';

type VerifyRequest = { readonly backupId: string };

/** Codes that say something about the bundle itself, not about the way to it. */
const VERDICT_CODES = new Set([
  'INVALID_CHECKSUM',
  'INVALID_MANIFEST',
  'UNSAFE_PATH',
  'FORMAT_TOO_NEW',
  'FORMAT_TOO_OLD',
]);

/** Queues a verification. @throws HoldfastError NOT_FOUND */
export async function verifyBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  backupId: string,
): Promise<RecordRow> {
  const bundle = await findBundle(parts, actor.workspaceId, { backupId });
  const record = await parts.catalog.records.create({
    workspaceId: actor.workspaceId,
    kind: 'VERIFY',
    trigger: 'MANUAL',
    sourceId: bundle.sourceId,
    backupId,
    requestedBy: actor.name,
    request: toRequest<VerifyRequest>({ backupId }),
  });
  runner.submit(record);
  return record;
}

/** Executes a VERIFY record. A bundle that fails the check fails the record. */
export async function executeVerify(parts: EngineParts, record: RunningRecord): Promise<void> {
  const { backupId } = readRequest<VerifyRequest>(record.row);
  const bundle = await findBundle(parts, record.row.workspaceId, { backupId });
  try {
    await checkChecksum(record, bundle);
    await parts.catalog.backups.setMissing(backupId, false);
    const report = await withCheckedBundle(parts, record, bundle, async (_reader, found) => found);
    const message = `${report.entries} entries and ${report.rows} rows are what they were.`;
    await parts.catalog.backups.setVerification(backupId, parts.now(), 'PASSED', null);
    record.setResult({
      kind: 'VERIFY',
      verdict: 'PASSED',
      message,
      entriesChecked: report.entries,
      rowsChecked: report.rows,
      bytesChecked: report.bytes,
      problems: [],
    });
  } catch (error) {
    if (error instanceof HoldfastError && VERDICT_CODES.has(error.code)) {
      await parts.catalog.backups.setVerification(backupId, parts.now(), 'FAILED', error.message);
      record.setResult({
        kind: 'VERIFY',
        verdict: 'FAILED',
        message: error.message,
        entriesChecked: 0,
        rowsChecked: 0,
        bytesChecked: 0,
        problems: [{ entry: null, message: error.message }],
      });
    }
    throw error;
  }
}
