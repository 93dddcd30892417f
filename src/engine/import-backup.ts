/** importBackup: a bundle is checked and catalogued; an uploaded one is moved into storage before, a stored one stays. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { newBundleName } from '../bundle/bundle-name.ts';
import type { Manifest } from '../bundle/manifest.ts';
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess, StoredObject } from '../storage/storage.ts';
import { requireUnchanged } from './catalogue-bundle.ts';
import { checkChecksum, withCheckedBundle } from './check-bundle.ts';
import { catalogue, countsOf } from './create-backup.ts';
import type { Actor, Unlock } from './engine.ts';
import { requireSource } from './find-source.ts';
import { readStored } from './import-stored.ts';
import { type BundleFile, findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import { checkUnlock, type KeptSecrets, keptSecrets } from './request-secrets.ts';
import { requireStorage } from './require-storage.ts';
import type { RunningRecord } from './running-record.ts';
import { signerOf, whyNotTrusted } from './trust.ts';

/** What an IMPORT record remembers. */
export type ImportRequest = KeptSecrets & {
  /** Null for a bundle that lies under the storage key already; it is never removed. */
  readonly uploadId: string | null;
  readonly storageKey: string;
};

/** Queues an import. @throws HoldfastError NOT_FOUND */
export async function importBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  uploadId: string,
  sourceId: string | null,
  unlock?: Unlock,
): Promise<RecordRow> {
  checkUnlock(unlock);
  const bundle = await findBundle(parts, actor.workspaceId, { uploadId });
  if (sourceId !== null) await requireSource(parts, actor.workspaceId, sourceId);
  if ((await uploadsInUse(parts)).has(uploadId)) {
    throw new HoldfastError('LOCK_HELD', `Another record is using the upload ${bundle.name}.`, {
      hint: 'Wait for it to finish, then import the upload if it is still needed.',
    });
  }
  const label = bundle.name.replace(/\.zip$/i, '');
  const record = await parts.catalog.records.create({
    workspaceId: actor.workspaceId,
    kind: 'IMPORT',
    trigger: 'MANUAL',
    sourceId,
    requestedBy: actor.name,
    request: toRequest<ImportRequest>({
      ...keptSecrets(parts, { unlock }),
      uploadId,
      storageKey: `${actor.workspaceId}/${newBundleName(label, parts.now())}`,
    }),
  });
  runner.submit(record, undefined, { unlock });
  return record;
}

/** Executes an IMPORT record. */
export async function executeImport(parts: EngineParts, record: RunningRecord): Promise<void> {
  const { uploadId, storageKey } = readRequest<ImportRequest>(record.row);
  const { bundle, object } = await bundleOf(parts, record);
  // A bundle of anybody is taken in; restoring it is what needs trust.
  const { manifest, report, signer } = await withCheckedBundle(
    parts,
    record,
    bundle,
    () => undefined,
    'PROVEN',
    async (reader, found) => ({
      manifest: reader.manifest,
      report: found,
      signer: await signerOf(parts, bundle.workspaceId, reader.signature),
    }),
  );
  if (object !== undefined) await requireUnchanged(parts, object, record.signal);
  else {
    await record.phase('RECEIVE', async (meter) => {
      meter.expect({ bytes: bundle.sizeBytes });
      await copyIntoStorage(parts, bundle, storageKey, (bytes) => meter.add({ bytes }), record.signal);
    });
  }
  const backup = await record.finalPhase('CATALOG', async () => {
    const { sizeBytes, checksum } = bundle;
    try {
      return await catalogue(parts, record.row, storageKey, { manifest, sizeBytes, checksum });
    } catch (error) {
      // The upload is still there: the import can be tried again. A file that lay there stays.
      if (uploadId !== null) await parts.storage.delete(storageKey, new AbortController().signal);
      throw error;
    }
  });
  if (uploadId !== null && !(await uploadsInUse(parts, record.row.id)).has(uploadId)) {
    await dropUpload(parts, uploadId);
  }
  record.setResult({
    kind: 'IMPORT',
    tables: manifest.database?.tables.length ?? 0,
    ...(report.contentChecked
      ? { rows: report.rows, files: report.files, bytes: report.bytes }
      : countsOf(manifest)),
  });
  warnOfOrigin(record, manifest);
  const distrust = whyNotTrusted(signer);
  if (distrust !== undefined) record.warn(`${distrust} Restoring it needs trust in its signer.`);
  if (!report.contentChecked) {
    record.warn(
      'The bundle is sealed and was not opened: its checksum and signature were checked, but not what it holds.',
    );
  }
  await record.amend({ backupId: backup.id, sizeBytes: backup.sizeBytes, checksum: backup.checksum });
}

/** What to import, its checksum known; `object` when it lies in storage already. */
async function bundleOf(
  parts: EngineParts,
  record: RunningRecord,
): Promise<{ bundle: BundleFile; object?: StoredObject }> {
  const { uploadId, storageKey } = readRequest<ImportRequest>(record.row);
  if (uploadId === null) return await readStored(parts, record, storageKey);
  const bundle = await findBundle(parts, record.row.workspaceId, { uploadId });
  await checkChecksum(record, bundle);
  return { bundle };
}

/** Uploads that an unfinished record reads, other than `exceptRecordId`. */
export async function uploadsInUse(parts: EngineParts, exceptRecordId?: string): Promise<Set<string>> {
  const unfinished = await parts.catalog.records.unfinished();
  return new Set(
    unfinished
      .filter((record) => record.id !== exceptRecordId)
      .filter((record) => record.kind === 'RESTORE' || record.kind === 'IMPORT')
      .flatMap((record) => {
        const { uploadId, bundle } = readRequest<{ uploadId?: string; bundle?: { uploadId?: string } }>(
          record,
        );
        return uploadId ?? bundle?.uploadId ?? [];
      }),
  );
}

/** Removes an upload, file and row. Idempotent. */
export async function dropUpload(parts: EngineParts, uploadId: string): Promise<void> {
  await rm(join(parts.directories.uploads, uploadId), { force: true });
  await parts.catalog.uploads.delete(uploadId);
}

function warnOfOrigin(record: RunningRecord, manifest: Manifest): void {
  if (manifest.source.id !== record.row.sourceId) {
    record.warn(
      `The bundle was made from the source "${manifest.source.name}"; restoring it needs allowForeignSource.`,
    );
  }
}

async function copyIntoStorage(
  parts: EngineParts,
  bundle: BundleFile,
  storageKey: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  await requireStorage(parts, bundle.workspaceId, signal);
  const upload = await parts.storage.create(storageKey, signal);
  let file: RandomAccess | undefined;
  try {
    file = await bundle.open(signal);
    const hash = createHash('sha256');
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        onBytes(chunk.length);
        done(null, chunk);
      },
    });
    await pipeline(file.read(0, file.sizeBytes, signal), count, upload.writable, { signal });
    if (hash.digest('hex') !== bundle.checksum) {
      throw new HoldfastError('INVALID_CHECKSUM', 'The upload changed on disk while it was imported.', {
        hint: 'Upload the bundle again.',
      });
    }
    await upload.commit();
  } catch (error) {
    await upload.abort();
    throw error;
  } finally {
    await file?.close();
  }
}
