/**
 * runSelfTest: a canary goes the whole way of a backup (writer, seal, signature, storage), is destroyed, restored and
 * compared. Nothing of it stays, however it ends, and none of it is ever catalogued as a backup.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newBundleName } from '../bundle/bundle-name.ts';
import type { Compression } from '../bundle/manifest.ts';
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Database } from '../source/source.ts';
import { died } from './died.ts';
import type { Actor, SelfTestRequest } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { SelfTestResult } from './record-result.ts';
import type { RecordRunner } from './record-runner.ts';
import type { RunningRecord } from './running-record.ts';
import { type SealRequest, sealingOf, sealRequest } from './seal-request.ts';
import { backUpCanary, restoreCanary } from './self-test-bundle.ts';
import {
  type CanaryPlace,
  canaryDirectory,
  destroyCanary,
  makeCanary,
  openCanaryPlace,
  removeWholly,
} from './self-test-canary.ts';
import { type CanaryDescription, compareCanaries, describeCanary } from './self-test-describe.ts';
import { SelfTestSteps } from './self-test-steps.ts';

/** What a SELF_TEST record remembers: enough to remove what it left. */
type KeptRequest = {
  /** Chosen before the first byte is written. */
  readonly storageKey: string;
  readonly encryption: SealRequest;
  readonly compression: Compression;
};

/** More of what differs is not named. */
const NAMED = 10;

/** Queues a self-test. */
export async function runSelfTest(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  { compression = 'DEFLATE_1' }: SelfTestRequest,
): Promise<RecordRow> {
  const { workspaceId } = actor;
  const record = await parts.catalog.records.create({
    workspaceId,
    kind: 'SELF_TEST',
    trigger: 'MANUAL',
    requestedBy: actor.name,
    request: toRequest<KeptRequest>({
      storageKey: `${workspaceId}/${newBundleName('self-test', parts.now())}`,
      encryption: await sealRequest(parts, workspaceId),
      compression,
    }),
  });
  runner.submit(record);
  return record;
}

/** Executes a SELF_TEST record. */
export async function executeSelfTest(parts: EngineParts, record: RunningRecord): Promise<void> {
  const steps = new SelfTestSteps(record, parts.now);
  let failure: unknown;
  try {
    await roundTrip(parts, record, steps);
  } catch (error) {
    failure = error;
    logFault(parts, record.row, error);
  }
  try {
    await steps.run('CLEAN_UP', () => cleanUpInPhase(parts, record));
  } catch (error) {
    logFault(parts, record.row, error);
    // A catalog that does not answer must not keep the rest from being removed.
    await cleanUp(parts, record.row).catch((fault: unknown) => logFault(parts, record.row, fault));
    if (failure === undefined) failure = error;
    else
      record.warn(error instanceof Error ? error.message : 'What the self-test made could not be removed.');
  }
  steps.close();
  if (failure !== undefined) throw failure;
}

async function roundTrip(parts: EngineParts, record: RunningRecord, steps: SelfTestSteps): Promise<void> {
  const { id } = record.row;
  const { signal } = record;
  const { storageKey, encryption, compression } = readRequest<KeptRequest>(record.row);
  const { place, database, before } = await steps.run('COLLECT', () =>
    record.phase('COLLECT', async () => await collect(parts, id, signal)),
  );
  const bundle = await steps.run('BACK_UP', async () => {
    const sealing = await sealingOf(parts, record, encryption);
    return await backUpCanary(parts, record, { place, database, storageKey, compression, sealing });
  });
  await steps.run('DESTROY', () => record.phase('DESTROY', () => destroyCanary(place, signal)));
  const restored = await steps.run('RESTORE', () => restoreCanary(parts, record, place, bundle));
  await steps.run('VERIFY', () =>
    record.phase('PROVE', async () => {
      const differing = compareCanaries(before, await describeCanary(place, restored, signal));
      if (differing.length > 0) throw notAsItWas(differing);
    }),
  );
}

async function collect(
  parts: EngineParts,
  recordId: string,
  signal: AbortSignal,
): Promise<{ place: CanaryPlace; database: Database; before: CanaryDescription }> {
  const place = await openCanaryPlace(parts, recordId);
  const database = await makeCanary(place, recordId, signal);
  return { place, database, before: await describeCanary(place, database, signal) };
}

function notAsItWas(differing: readonly string[]): HoldfastError {
  const named = differing.slice(0, NAMED).join(', ');
  const more = differing.length > NAMED ? ` and ${differing.length - NAMED} more` : '';
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `What was restored is not what was backed up: ${named}${more}.`,
  );
}

/** What callers are not told of stands in the log. */
function logFault(parts: EngineParts, { id }: RecordRow, error: unknown): void {
  parts.log.warn({ err: error, recordId: id }, 'a step of a self-test failed');
}

async function cleanUpInPhase(parts: EngineParts, record: RunningRecord): Promise<void> {
  await record.finalPhase('CLEAN_UP', () => cleanUp(parts, record.row));
}

/** Removes bundle and scratch directory; each is tried although the other fails. Idempotent. */
async function cleanUp(parts: EngineParts, row: RecordRow): Promise<void> {
  const { storageKey } = readRequest<KeptRequest>(row);
  const never = new AbortController().signal;
  const removeBundle = async (): Promise<void> => {
    await parts.storage.delete(storageKey, never);
    await parts.storage.sweep(storageKey, never);
  };
  const removed = await Promise.allSettled([
    removeWholly(canaryDirectory(parts, row.id)).then(() =>
      rm(join(parts.directories.temporary, row.id), { recursive: true, force: true }),
    ),
    removeBundle(),
  ]);
  const [scratch, bundle] = removed;
  if (bundle?.status === 'rejected') throw leftInStorage(storageKey, bundle.reason);
  if (scratch?.status === 'rejected') throw scratch.reason;
}

function leftInStorage(storageKey: string, cause: unknown): HoldfastError {
  const code = cause instanceof HoldfastError ? cause.code : 'INTERNAL';
  return new HoldfastError(code, `The bundle ${storageKey} of the self-test could not be deleted.`, {
    hint: 'Once the storage can be written to, delete it by hand; it holds nothing of anybody.',
    cause,
  });
}

/**
 * Ends a self-test whose process died: what it left is removed.
 * @throws HoldfastError STORAGE_UNAVAILABLE before anything of the record is written
 */
export async function recoverSelfTest(
  parts: EngineParts,
  record: RunningRecord,
  row: RecordRow,
): Promise<HoldfastError> {
  await cleanUp(parts, row).catch((error: unknown) => {
    // Recovery tries again every few seconds for as long as the storage is away; no try is written down.
    if (error instanceof HoldfastError && error.code === 'STORAGE_UNAVAILABLE') throw error;
    // The step below meets it again, and tells it.
  });
  // Written by the steps of this kind of record alone.
  const before = row.result as SelfTestResult | null;
  const steps = new SelfTestSteps(record, parts.now, before ?? undefined);
  try {
    await steps.run('CLEAN_UP', () => cleanUpInPhase(parts, record));
  } finally {
    steps.close();
  }
  return died(row, 'What the self-test had made was removed.', 'Run the self-test again.');
}
