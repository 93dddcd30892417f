/** restoreBackup: a verified bundle replaces what its source holds, wholly or not at all. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { admit } from './admission.ts';
import { applyRestore } from './apply-restore.ts';
import { checkChecksum, withCheckedBundle } from './check-bundle.ts';
import type { Actor, RestoreBackupRequest } from './engine.ts';
import { leaseUntil } from './lease.ts';
import { type BundleFile, findBundle, requireUnlocked } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { backUpTarget } from './pre-restore-backup.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RestoreResult } from './record-result.ts';
import type { RecordRunner } from './record-runner.ts';
import { checkUnlock, type KeptSecrets, keptSecrets, type RequestSecrets } from './request-secrets.ts';
import { type PreparedRestore, prepareRestore, requireTarget } from './restore-plan.ts';
import type { RunningRecord } from './running-record.ts';
import { requireOwner, requireTrust, signerOf } from './trust.ts';

/** What a RESTORE record remembers. */
export type RestoreRequest = Omit<RestoreBackupRequest, 'unlock'> &
  KeptSecrets & { readonly sourceId: string };

/** The largest wait for a lock of the application, milliseconds: ten minutes. */
const MAX_LOCK_TIMEOUT_MS = 600_000;

/**
 * Takes the source's lock and starts a restore.
 * @throws HoldfastError NOT_FOUND, INVALID_INPUT, LOCK_HELD; FORBIDDEN when somebody else than an OWNER trusts the signer
 */
export async function restoreBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  request: RestoreBackupRequest,
): Promise<RecordRow> {
  // The secrets must not come near what is written down.
  const { unlock, ...kept } = request;
  const { lockTimeoutMs } = request;
  checkUnlock(unlock);
  if (request.trustUnknownSigner === true) requireOwner(actor, 'trustUnknownSigner');
  if (!Number.isInteger(lockTimeoutMs) || lockTimeoutMs < 1 || lockTimeoutMs > MAX_LOCK_TIMEOUT_MS) {
    throw new HoldfastError('INVALID_INPUT', `lockTimeoutMs must be from 1 to ${MAX_LOCK_TIMEOUT_MS}.`, {
      field: 'lockTimeoutMs',
    });
  }
  const bundle = await findBundle(parts, actor.workspaceId, request.bundle);
  const target = await requireTarget(parts, actor.workspaceId, request.sourceId, bundle);
  if (bundle.sourceId !== null && bundle.sourceId !== target.id && !request.allowForeignSource) {
    throw foreignSource(bundle.name, target.name);
  }
  return await admit(() =>
    queueRestore(parts, runner, actor, bundle, { ...kept, sourceId: target.id }, { unlock }),
  );
}

async function queueRestore(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  bundle: BundleFile,
  request: RestoreRequest,
  secrets: RequestSecrets,
): Promise<RecordRow> {
  const { locks, records } = parts.catalog;
  const held = await locks.find(request.sourceId);
  if (held !== undefined && held.expiresAt > parts.now()) throw lockHeld(held.recordId);
  const unsettled = (await records.unfinished()).find(
    (record) => record.kind === 'RESTORE' && record.sourceId === request.sourceId,
  );
  if (unsettled !== undefined) throw lockHeld(unsettled.id);
  const record = await records.create({
    workspaceId: actor.workspaceId,
    kind: 'RESTORE',
    trigger: 'MANUAL',
    sourceId: request.sourceId,
    backupId: bundle.backupId,
    requestedBy: actor.name,
    request: toRequest<RestoreRequest>({ ...request, ...keptSecrets(parts, secrets) }),
  });
  const lock = await locks.acquire(request.sourceId, record.id, parts.identity.owner, leaseUntil(parts));
  if (lock === undefined) {
    // Another server was faster between the look and the grab; the record says so and did nothing.
    await records.requestCancel(actor.workspaceId, record.id);
    throw lockHeld((await locks.find(request.sourceId))?.recordId ?? 'of another server');
  }
  runner.submit(record, lock, secrets);
  return record;
}

/** Executes a RESTORE record. */
export async function executeRestore(
  parts: EngineParts,
  record: RunningRecord,
  runner: RecordRunner,
): Promise<void> {
  const request = readRequest<RestoreRequest>(record.row);
  const result = untouched(request.dryRun);
  record.setResult(result);
  const { workspaceId } = record.row;
  const bundle = await findBundle(parts, workspaceId, request.bundle);
  const target = await requireTarget(parts, workspaceId, request.sourceId, bundle);
  await checkChecksum(record, bundle);
  const accept = async (reader: BundleReader): Promise<void> => {
    requireTrust(await signerOf(parts, workspaceId, reader.signature), request.trustUnknownSigner === true);
    requireUnlocked(reader, bundle);
  };
  // Rows are read back from the database and their digests compared, before anything becomes final.
  await withCheckedBundle(parts, record, bundle, accept, 'COUNTED', async (reader) => {
    const prepared = await record.phase('PLAN', async () => {
      const made = await prepareRestore(parts, bundle, reader, target, request, record.signal);
      refuseUnlessAllowed(request, reader, made);
      return made;
    });
    for (const warning of prepared.plan.warnings) record.warn(warning);
    const preRestoreBackupId = await backUpTarget(parts, record, runner, request, target, prepared);
    if (preRestoreBackupId !== null) await record.keepResult({ ...result, preRestoreBackupId });
    await applyRestore(parts, record, {
      request,
      target: prepared.plan.target,
      reader,
      prepared,
      preRestoreBackupId,
    });
  });
}

/** The result of a restore that has not changed anything. */
export function untouched(dryRun: boolean): RestoreResult {
  return {
    kind: 'RESTORE',
    targetState: 'WHOLLY_OLD',
    dryRun,
    rolledBack: false,
    proven: false,
    rowsRestored: 0,
    filesRestored: 0,
    tables: [],
    trees: [],
    envFileRestored: false,
    preRestoreBackupId: null,
  };
}

function refuseUnlessAllowed(request: RestoreRequest, reader: BundleReader, prepared: PreparedRestore): void {
  const { plan, trees } = prepared;
  const { manifest } = reader;
  if (manifest.source.id !== plan.target.id && !request.allowForeignSource) {
    throw foreignSource(plan.bundleName, plan.target.name);
  }
  if (request.planHash !== null && request.planHash !== plan.hash) {
    throw new HoldfastError('PLAN_CHANGED', 'The restore plan is not the one that was approved.', {
      hint: 'The bundle, the target or its structure changed since. Read the new restore plan and approve that.',
    });
  }
  const [refusal] = plan.refusals;
  if (refusal !== undefined) {
    const more = plan.refusals.length > 1 ? ` (and ${plan.refusals.length - 1} more)` : '';
    throw new HoldfastError(prepared.fits ? 'INVALID_INPUT' : 'SCHEMA_MISMATCH', `${refusal}${more}`, {
      hint: prepared.fits
        ? 'restorePlan lists every reason. Mend them, or select less.'
        : 'restorePlan lists every reason. onDrift RESTORE_SCHEMA puts the structure of the bundle back, ADAPT loads what fits; or select less.',
    });
  }
  if (!prepared.changesDatabase && trees.length === 0 && plan.envFile === null) {
    throw new HoldfastError('NO_OP_RESTORE', 'The selection restores nothing of this bundle.', {
      hint: 'Select tables, trees or the env file that the bundle holds.',
    });
  }
  if (prepared.overwritesEnvFile && !request.overwriteEnvFile) {
    throw new HoldfastError('UNSAFE_PATH', 'The env file would be written over the one it was read from.', {
      field: 'overwriteEnvFile',
      hint: 'Set another restorePath on the source, or set overwriteEnvFile.',
    });
  }
}

function foreignSource(bundleName: string, target: string): HoldfastError {
  return new HoldfastError(
    'INVALID_INPUT',
    `The bundle ${bundleName} was not made from the source ${target}.`,
    {
      field: 'allowForeignSource',
      hint: 'Set allowForeignSource to restore it there all the same.',
    },
  );
}

function lockHeld(recordId: string): HoldfastError {
  return new HoldfastError('LOCK_HELD', `The record ${recordId} is working on this source.`, {
    hint: 'Wait for it to finish or cancel it, then start again.',
  });
}
