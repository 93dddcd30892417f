/** verifyBackup: looks at a stored bundle, as deep as it is asked to, and certifies what it found. */
import type { RecordRow, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { admit } from './admission.ts';
import { checkChecksum, inspectContent } from './check-bundle.ts';
import { drillBackup } from './drill-backup.ts';
import { requireGround } from './drill-ground.ts';
import type { Actor, VerifyBackupRequest } from './engine.ts';
import { type BundleFile, findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import { checkUnlock, keptSecrets } from './request-secrets.ts';
import type { RunningRecord } from './running-record.ts';
import { signerOf, whyNotTrusted } from './trust.ts';
import { Findings } from './verify-findings.ts';
import { levelOf, type VerifyRequest } from './verify-request.ts';

/**
 * Queues a verification.
 * @throws HoldfastError NOT_FOUND, INVALID_INPUT (a drill that has nowhere to go, saying what to set)
 */
export async function verifyBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  { backupId, level, unlock }: VerifyBackupRequest,
): Promise<RecordRow> {
  checkUnlock(unlock);
  const { workspaceId } = actor;
  const bundle = await findBundle(parts, workspaceId, { backupId });
  if (level === 'RESTORE') {
    const backup = await parts.catalog.backups.find(workspaceId, backupId);
    if (backup !== undefined)
      requireGround(await sourceOf(parts, workspaceId, bundle.sourceId), backup.manifest);
  }
  // A source does not change its servers between this and the end of a drill.
  const record = await admit(() =>
    parts.catalog.records.create({
      workspaceId,
      kind: 'VERIFY',
      trigger: 'MANUAL',
      sourceId: bundle.sourceId,
      backupId,
      requestedBy: actor.name,
      request: toRequest<VerifyRequest>({ ...keptSecrets(parts, { unlock }), backupId, level }),
    }),
  );
  runner.submit(record, undefined, { unlock });
  return record;
}

async function sourceOf(
  parts: EngineParts,
  workspaceId: string,
  sourceId: string | null,
): Promise<SourceRow | undefined> {
  return sourceId === null ? undefined : await parts.catalog.sources.find(workspaceId, sourceId);
}

/** Executes a VERIFY record. A bundle that fails the check fails the record, which tells every fault it found. */
export async function executeVerify(parts: EngineParts, record: RunningRecord): Promise<void> {
  const { backupId } = readRequest<VerifyRequest>(record.row);
  const level = levelOf(record.row);
  const bundle = await findBundle(parts, record.row.workspaceId, { backupId });
  const startedAt = parts.now();
  const findings = new Findings();
  await checkChecksum(record, bundle).catch((error: unknown) => findings.noteVerdict(error));
  await parts.catalog.backups.setMissing(backupId, false);
  // Also when the whole is not what it was: its entries tell what of it is damaged.
  if (level !== 'CHECKSUM') {
    await inspect(parts, record, bundle, findings).catch((error: unknown) => findings.noteVerdict(error));
  }
  const certificate = await parts.catalog.backups.certify({
    backupId,
    recordId: record.row.id,
    level,
    verdict: findings.verdict,
    startedAt,
    finishedAt: parts.now(),
    restoreSeconds: findings.restoreSeconds,
    entries: BigInt(findings.report.entries),
    rows: BigInt(findings.report.rows),
    bytes: BigInt(findings.report.bytes),
    files: BigInt(findings.report.files),
    message: findings.message(level),
    tables: findings.tables,
  });
  record.setResult({
    kind: 'VERIFY',
    level,
    verdict: certificate.verdict,
    message: certificate.message,
    entriesChecked: findings.report.entries,
    rowsChecked: findings.report.rows,
    bytesChecked: findings.report.bytes,
    restoreSeconds: findings.restoreSeconds,
    problems: findings.problems,
  });
  if (findings.first !== undefined) throw findings.first;
}

/** The content, and where a drill was asked for that. */
async function inspect(
  parts: EngineParts,
  record: RunningRecord,
  bundle: BundleFile,
  findings: Findings,
): Promise<void> {
  const { workspaceId, sourceId } = record.row;
  await inspectContent(
    parts,
    record,
    bundle,
    (entry, error) => findings.noteDamage(entry, error),
    async (reader, report) => {
      findings.noteReport(report);
      if (levelOf(record.row) !== 'RESTORE' || !report.contentChecked || findings.first !== undefined) return;
      // Its schema is code: it runs nowhere, not even on scratch ground, unless somebody vouches for it.
      const untrusted = whyNotTrusted(await signerOf(parts, workspaceId, reader.signature));
      if (untrusted !== undefined) return findings.noteUndrilled(untrusted);
      const source = await sourceOf(parts, workspaceId, sourceId);
      requireGround(source, reader.manifest);
      const drilled = await drillBackup(parts, record, reader, source).catch((error: unknown) => {
        throw inTheDrill(error);
      });
      findings.noteDrill(drilled);
    },
  );
}

/** What does not go into an empty database like its own says something of the bundle, and its hint tells of targets. */
function inTheDrill(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || !['SCHEMA_MISMATCH', 'INVALID_CHECKSUM'].includes(error.code))
    return error;
  return new HoldfastError('INVALID_CHECKSUM', `The bundle does not restore: ${error.message}`, {
    hint: 'Do not rely on this backup. If the server of the drill is another version than the source’s or lacks an extension, drill on one that is like it.',
    cause: error,
  });
}
