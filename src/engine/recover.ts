/**
 * Recovery: what a dead process left is brought to an end. CREATE is finished when its bundle is already in
 * storage, RESTORE follows its journal, ROTATE goes on, everything else fails and says so. Records of a living
 * process are never touched.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { isFinished } from '../events/persisted-events.ts';
import { freeAbandonedLocks } from './abandoned-lock.ts';
import { readStoredBundle } from './catalogue-bundle.ts';
import { type CreateRequest, catalogue, finishCreate } from './create-backup.ts';
import { sweepRecoveryKits } from './create-recovery-kit.ts';
import { removeBackup } from './delete-backup.ts';
import { died } from './died.ts';
import { sweepDrill } from './drill-backup.ts';
import { dropUpload, type ImportRequest, uploadsInUse } from './import-backup.ts';
import { leaseUntil } from './lease.ts';
import type { EngineParts } from './parts.ts';
import { expireUploads, sweepUploads } from './receive-upload.ts';
import { readRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import { retryLeftovers } from './recover-leftovers.ts';
import { recoverRestore } from './recover-restore.ts';
import { secretsOwner } from './request-secrets.ts';
import { requireStorage } from './require-storage.ts';
import { executeRotate } from './rotate-backups.ts';
import { RunningRecord } from './running-record.ts';
import { recoverSelfTest } from './self-test.ts';
import { sayWhatItWaitsFor } from './settle-restore.ts';
import { levelOf } from './verify-request.ts';

/** How often records whose lease ran out are looked for, milliseconds. */
const SWEEP_MS = 15_000;

/** A restore takes its lock within this time of being queued, milliseconds. */
const ADMISSION_MS = 5000;

/**
 * A process of another host, of which nobody can tell whether it lives, is given this long to begin a record of
 * which it alone was told the secrets, milliseconds: a day.
 */
const SECRETS_KEPT_MS = 24 * 60 * 60 * 1000;

/** Recovery at work. */
export interface Recovery {
  /** Recovers a record now rather than at the next sweep; what is in its way is logged and told by the record. */
  tryAgain(row: RecordRow): void;
  stop(): Promise<void>;
}

/** Recovers now and from time to time. */
export async function startRecovery(parts: EngineParts, runner: RecordRunner): Promise<Recovery> {
  const tries = new Set<Promise<void>>();
  let running = recoverAll(parts, runner);
  await running;
  const timer = setInterval(() => {
    running = running.then(() => recoverAll(parts, runner));
  }, SWEEP_MS);
  timer.unref();
  return {
    tryAgain(row) {
      const trying = tryOne(parts, row, () => recover(parts, runner, row)).finally(() =>
        tries.delete(trying),
      );
      tries.add(trying);
    },
    async stop() {
      clearInterval(timer);
      await running;
      await Promise.all(tries);
    },
  };
}

/** What fails is left for the next sweep. */
async function tryOne(parts: EngineParts, row: RecordRow, work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    parts.log.error({ err: error, recordId: row.id }, 'a record could not be recovered yet');
  });
}

/** One sweep; a record that cannot be recovered now is left for the next. */
async function recoverAll(parts: EngineParts, runner: RecordRunner): Promise<void> {
  try {
    for (const row of await parts.catalog.records.unfinished()) {
      if (runner.has(row.id)) continue;
      await tryOne(parts, row, () => recoverOne(parts, runner, row));
    }
    await freeAbandonedLocks(parts);
    await retryLeftovers(parts, new AbortController().signal);
    for (const backup of await parts.catalog.backups.deleting()) {
      await removeBackup(parts, backup, new AbortController().signal).catch((error: unknown) => {
        parts.log.warn({ err: error, backupId: backup.id }, 'a backup could not be deleted yet');
      });
    }
    await expireUploads(parts);
    await sweepUploads(parts);
    await sweepRecoveryKits(parts);
    await sweepTemporary(parts);
  } catch (error) {
    parts.log.error({ err: error }, 'recovery did not get through; it will be tried again');
  }
}

async function recoverOne(parts: EngineParts, runner: RecordRunner, row: RecordRow): Promise<void> {
  if (row.status === 'QUEUED' && row.leaseOwner === null) {
    // Queued by a process that is gone, or by another server that will start it: claiming decides.
    if (row.kind !== 'RESTORE' && row.parentId === null) {
      if (!isLeftToOwner(parts, row)) runner.submit(row);
    } else if (await isAbandoned(parts, row)) await recover(parts, runner, row);
    return;
  }
  const dead = row.leaseOwner !== null && parts.identity.isDead(row.leaseOwner);
  const expired = row.leaseUntil !== null && row.leaseUntil <= parts.now();
  if (dead || expired) await recover(parts, runner, row);
}

/** Only the process that was told a record's secrets can begin it, as long as that may be alive. */
function isLeftToOwner(parts: EngineParts, row: RecordRow): boolean {
  const owner = secretsOwner(row);
  if (owner === undefined || owner === parts.identity.owner || parts.identity.isDead(owner)) return false;
  return parts.now().getTime() - row.queuedAt.getTime() < SECRETS_KEPT_MS;
}

/** A queued restore belongs to whoever holds the lock it was admitted with, a part to whoever runs the whole. */
async function isAbandoned(parts: EngineParts, row: RecordRow): Promise<boolean> {
  if (row.sourceId === null) return true;
  if (row.parentId !== null) {
    const parent = await parts.catalog.records.find(row.workspaceId, row.parentId);
    return parent === undefined || isFinished(parent);
  }
  // Its owner may be about to take the lock.
  if (parts.now().getTime() - row.queuedAt.getTime() < ADMISSION_MS) return false;
  const lock = await parts.catalog.locks.find(row.sourceId);
  return (
    lock === undefined ||
    lock.recordId !== row.id ||
    parts.identity.isDead(lock.owner) ||
    lock.expiresAt <= parts.now()
  );
}

async function recover(parts: EngineParts, runner: RecordRunner, row: RecordRow): Promise<void> {
  await runner.keeping(row, async () => {
    const { records } = parts.catalog;
    const dead =
      row.leaseOwner !== null && parts.identity.isDead(row.leaseOwner) ? row.leaseOwner : undefined;
    if (!(await records.claim(row.id, parts.identity.owner, leaseUntil(parts), dead))) return;
    // Somebody of this process may have brought it further while this waited.
    const now = await records.find(row.workspaceId, row.id);
    if (now === undefined || isFinished(now)) return;
    parts.log.warn(
      { recordId: row.id, kind: row.kind, phase: row.phases.at(-1)?.name },
      'recovering a record',
    );
    await recoverClaimed(parts, now);
  });
}

async function recoverClaimed(parts: EngineParts, row: RecordRow): Promise<void> {
  const record = new RunningRecord(parts, closePhases(parts, row), new AbortController().signal);
  let failure: unknown;
  try {
    failure = await bringToAnEnd(parts, record, row);
  } catch (error) {
    // A restore whose journal cannot be settled now stays open: saying anything of its state would be a guess.
    if (row.kind === 'RESTORE') {
      await sayWhatItWaitsFor(record, error);
      throw error;
    }
    // A storage that cannot be asked may hold the finished bundle. A rotation has done what it could.
    const mayBeStored = row.kind === 'CREATE' || row.kind === 'IMPORT' || row.kind === 'SELF_TEST';
    if (mayBeStored && error instanceof HoldfastError && error.code === 'STORAGE_UNAVAILABLE') throw error;
    failure = error;
  }
  await rm(join(parts.directories.temporary, row.id), { recursive: true, force: true });
  await parts.catalog.locks.releaseOf(row.id);
  await record.finish(failure);
}

/** Resolves to why the record failed; undefined when it succeeded after all. */
async function bringToAnEnd(
  parts: EngineParts,
  record: RunningRecord,
  row: RecordRow,
): Promise<HoldfastError | undefined> {
  switch (row.kind) {
    case 'CREATE':
      return await recoverCreate(parts, record, row);
    case 'RESTORE':
      return await recoverRestore(parts, record, row);
    case 'IMPORT':
      return await recoverImport(parts, row);
    case 'VERIFY':
      return await recoverVerify(parts, record, row);
    case 'SELF_TEST':
      return await recoverSelfTest(parts, record, row);
    case 'ROTATE':
      await record.start();
      await executeRotate(parts, record);
      return undefined;
  }
}

/** A drill is not gone on with: what it made is removed. */
async function recoverVerify(
  parts: EngineParts,
  record: RunningRecord,
  row: RecordRow,
): Promise<HoldfastError> {
  if (levelOf(row) === 'RESTORE') await sweepDrill(parts, record);
  return died(row, 'Nothing was changed, and the backup got no verdict.', 'Verify the backup again.');
}

async function recoverCreate(
  parts: EngineParts,
  record: RunningRecord,
  row: RecordRow,
): Promise<HoldfastError | undefined> {
  const { storageKey } = readRequest<CreateRequest>(row);
  const { signal } = record;
  await parts.storage.sweep(storageKey, signal);
  const catalogued = await parts.catalog.backups.findByStorageKey(storageKey);
  if (catalogued !== undefined) {
    await finishCreate(record, catalogued);
    return undefined;
  }
  if ((await parts.storage.stat(storageKey, signal)) === undefined) {
    await requireStorage(parts, row.workspaceId, signal);
    return died(row, 'Nothing of the unfinished bundle was kept.', 'Start the backup again.');
  }
  const stored = await readStoredBundle(parts, storageKey, () => undefined, signal);
  record.warn('The server stopped after the bundle was stored; it was catalogued by recovery.');
  await finishCreate(record, await catalogue(parts, row, storageKey, stored));
  return undefined;
}

async function recoverImport(parts: EngineParts, row: RecordRow): Promise<HoldfastError> {
  const { storageKey, uploadId } = readRequest<ImportRequest>(row);
  const { signal } = new AbortController();
  const backup = await parts.catalog.backups.findByStorageKey(storageKey);
  if (backup === undefined) {
    // Imported where it lies, the file was there before the record.
    if (uploadId === null) {
      return died(row, 'Nothing was imported; the file lies where it did.', 'Import it again.');
    }
    await requireStorage(parts, row.workspaceId, signal);
    await parts.storage.delete(storageKey, signal);
    await parts.storage.sweep(storageKey, signal);
    return died(row, 'Nothing was imported; the upload is still there.', 'Import it again.');
  }
  if (uploadId !== null && !(await uploadsInUse(parts, row.id)).has(uploadId)) {
    await dropUpload(parts, uploadId);
  }
  return died(
    row,
    `The bundle was catalogued as ${backup.name}, though.`,
    'Verify that backup before you use it.',
  );
}

/** A phase that was open when the process died will never close by itself. */
function closePhases(parts: EngineParts, row: RecordRow): RecordRow {
  return {
    ...row,
    phases: row.phases.map((phase) =>
      phase.status === 'RUNNING'
        ? { ...phase, status: 'FAILED', finishedAt: parts.now().toISOString() }
        : phase,
    ),
  };
}

/** Spool folders of records that are finished. */
async function sweepTemporary(parts: EngineParts): Promise<void> {
  // Listed first: a folder that is made after this belongs to a record that begins just now.
  const names = await readdir(parts.directories.temporary);
  const unfinished = new Set((await parts.catalog.records.unfinished()).map((record) => record.id));
  for (const name of names) {
    if (!unfinished.has(name))
      await rm(join(parts.directories.temporary, name), { recursive: true, force: true });
  }
}
