/** verifyBackup: re-reads a stored bundle and says whether it still is what it was. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { checkChecksum, inspectContent } from './check-bundle.ts';
import type { Actor, Unlock } from './engine.ts';
import { findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { VerifyResult } from './record-result.ts';
import type { RecordRunner } from './record-runner.ts';
import { checkUnlock, type KeptSecrets, keptSecrets } from './request-secrets.ts';
import type { RunningRecord } from './running-record.ts';

type VerifyRequest = KeptSecrets & { readonly backupId: string };

/** Codes that say something about the bundle itself, not about the way to it. */
const VERDICT_CODES = new Set([
  'INVALID_CHECKSUM',
  'INVALID_MANIFEST',
  'UNSAFE_PATH',
  'FORMAT_TOO_NEW',
  'FORMAT_TOO_OLD',
]);

/** More faults than this are not told: the bundle is lost either way. */
const MAX_PROBLEMS = 100;

/** Queues a verification. @throws HoldfastError NOT_FOUND */
export async function verifyBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  backupId: string,
  unlock?: Unlock,
): Promise<RecordRow> {
  checkUnlock(unlock);
  const bundle = await findBundle(parts, actor.workspaceId, { backupId });
  const record = await parts.catalog.records.create({
    workspaceId: actor.workspaceId,
    kind: 'VERIFY',
    trigger: 'MANUAL',
    sourceId: bundle.sourceId,
    backupId,
    requestedBy: actor.name,
    request: toRequest<VerifyRequest>({ ...keptSecrets(parts, { unlock }), backupId }),
  });
  runner.submit(record, undefined, { unlock });
  return record;
}

/** Executes a VERIFY record. A bundle that fails the check fails the record, which tells every fault it found. */
export async function executeVerify(parts: EngineParts, record: RunningRecord): Promise<void> {
  const { backupId } = readRequest<VerifyRequest>(record.row);
  const bundle = await findBundle(parts, record.row.workspaceId, { backupId });
  const { backups } = parts.catalog;
  const startedAt = parts.now();
  const problems: VerifyResult['problems'] = [];
  let first: HoldfastError | undefined;
  const note = (error: HoldfastError, entry: string | null): void => {
    first ??= error;
    if (!problems.some(({ message }) => message === error.message))
      problems.push({ entry, message: error.message });
  };
  await checkChecksum(record, bundle).catch((error: unknown) => note(verdict(error), null));
  await backups.setMissing(backupId, false);
  // Also when the whole is not what it was: its entries tell what of it is damaged.
  const report = await inspectContent(parts, record, bundle, (entry, error) => {
    note(error, entry);
    if (problems.length >= MAX_PROBLEMS) throw error;
  }).catch((error: unknown) => {
    note(verdict(error), null);
    return { entries: 0, rows: 0, bytes: 0, files: 0 };
  });
  const message = first?.message ?? `${report.entries} entries and ${report.rows} rows are what they were.`;
  const passed = first === undefined ? 'PASSED' : 'FAILED';
  await backups.certify({
    backupId,
    recordId: record.row.id,
    level: 'CONTENT',
    verdict: passed,
    startedAt,
    finishedAt: parts.now(),
    restoreSeconds: null,
    entries: BigInt(report.entries),
    rows: BigInt(report.rows),
    bytes: BigInt(report.bytes),
    files: BigInt(report.files),
    message,
    tables: [],
  });
  record.setResult({
    kind: 'VERIFY',
    verdict: passed,
    message,
    entriesChecked: report.entries,
    rowsChecked: report.rows,
    bytesChecked: report.bytes,
    problems,
  });
  if (first !== undefined) throw first;
}

/** The error, when it is about the bundle; any other ends the verification without a verdict. */
function verdict(error: unknown): HoldfastError {
  if (error instanceof HoldfastError && VERDICT_CODES.has(error.code)) return error;
  throw error;
}
