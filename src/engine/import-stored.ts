/** importStored: a bundle that somebody put into the storage becomes a backup where it lies. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { StoredObject } from '../storage/storage.ts';
import { admit } from './admission.ts';
import { readStoredBundle } from './catalogue-bundle.ts';
import type { Actor, Unlock } from './engine.ts';
import { requireSource } from './find-source.ts';
import type { ImportRequest } from './import-backup.ts';
import type { BundleFile } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { toRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import { checkUnlock, keptSecrets } from './request-secrets.ts';
import { requireStorage } from './require-storage.ts';
import type { RunningRecord } from './running-record.ts';
import { keysInWork } from './unknown-bundles.ts';

/** Queues the import of a bundle that lies in storage. @throws HoldfastError NOT_FOUND, INVALID_INPUT, LOCK_HELD */
export async function importStored(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  storageKey: string,
  sourceId: string | null,
  unlock?: Unlock,
): Promise<RecordRow> {
  checkUnlock(unlock);
  const { workspaceId } = actor;
  const { signal } = new AbortController();
  const own = storageKey.startsWith(`${workspaceId}/`) && storageKey.indexOf('/', workspaceId.length + 1) < 0;
  if (!own || (await parts.storage.stat(storageKey, signal)) === undefined) {
    if (own) await requireStorage(parts, workspaceId, signal);
    throw new HoldfastError('NOT_FOUND', 'The storage of this workspace holds no such file.', {
      hint: 'unknownBundles lists the files that can be imported.',
    });
  }
  if (sourceId !== null) await requireSource(parts, workspaceId, sourceId);
  return await admit(async () => {
    if ((await keysInWork(parts)).has(storageKey)) {
      throw new HoldfastError('LOCK_HELD', 'Another record is working on this file.', {
        hint: 'Wait for it to finish, then import the file if it is still unknown.',
      });
    }
    if ((await parts.catalog.backups.findByStorageKey(storageKey)) !== undefined) {
      throw new HoldfastError('INVALID_INPUT', 'This file is the bundle of a backup already.', {
        field: 'storageKey',
      });
    }
    const record = await parts.catalog.records.create({
      workspaceId,
      kind: 'IMPORT',
      trigger: 'MANUAL',
      sourceId,
      requestedBy: actor.name,
      request: toRequest<ImportRequest>({ ...keptSecrets(parts, { unlock }), uploadId: null, storageKey }),
    });
    runner.submit(record, undefined, { unlock });
    return record;
  });
}

/** Phase CHECKSUM of a bundle that lies in storage: there is no checksum to compare with yet. */
export async function readStored(
  parts: EngineParts,
  record: RunningRecord,
  storageKey: string,
): Promise<{ bundle: BundleFile; object: StoredObject }> {
  const name = storageKey.slice(storageKey.lastIndexOf('/') + 1);
  const { checksum, sizeBytes, object } = await record.phase('CHECKSUM', async (meter) => {
    meter.item(name);
    return await readStoredBundle(parts, storageKey, (bytes) => meter.add({ bytes }), record.signal);
  });
  const bundle: BundleFile = {
    workspaceId: record.row.workspaceId,
    name,
    checksum,
    sizeBytes,
    sourceId: null,
    backupId: null,
    open: (signal) => parts.storage.open(storageKey, signal),
  };
  return { bundle, object };
}
