/** From a backup or an upload to a bundle that can be read. */
import { join } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import type { BackupRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { BundleOrigin } from './engine.ts';
import type { EngineParts } from './parts.ts';

/** What is known of a bundle before it is opened. */
export interface BundleFile {
  readonly name: string;
  /** SHA-256 of the whole, as the catalog has it. */
  readonly checksum: string;
  readonly sizeBytes: number;
  /** The source it was made of; null for an upload or when that source was deleted. */
  readonly sourceId: string | null;
  readonly backupId: string | null;
  open(signal: AbortSignal): Promise<RandomAccess>;
}

/**
 * Finds a bundle.
 * @throws HoldfastError NOT_FOUND
 */
export async function findBundle(
  parts: EngineParts,
  workspaceId: string,
  origin: BundleOrigin,
): Promise<BundleFile> {
  if ('uploadId' in origin) {
    const upload = await parts.catalog.uploads.find(workspaceId, origin.uploadId);
    if (upload === undefined || upload.expiresAt < parts.now()) {
      throw new HoldfastError('NOT_FOUND', 'There is no such upload, or it has expired.', {
        hint: 'Upload the bundle again.',
      });
    }
    return {
      name: upload.fileName,
      checksum: upload.checksum,
      sizeBytes: Number(upload.sizeBytes),
      sourceId: null,
      backupId: null,
      open: () => parts.openLocalFile(join(parts.directories.uploads, upload.id)),
    };
  }
  const backup = await parts.catalog.backups.find(workspaceId, origin.backupId);
  if (backup === undefined || backup.deletingAt !== null) {
    throw new HoldfastError('NOT_FOUND', 'There is no such backup in this workspace.');
  }
  return {
    name: backup.name,
    checksum: backup.checksum,
    sizeBytes: Number(backup.sizeBytes),
    sourceId: backup.sourceId,
    backupId: backup.id,
    open: (signal) => openStored(parts, backup, signal),
  };
}

/** Opens a stored bundle. One that certainly is not there is marked as missing, one that was put back no longer. */
export async function openStored(
  parts: EngineParts,
  { id: backupId, storageKey, name, missing }: BackupRow,
  signal: AbortSignal,
): Promise<RandomAccess> {
  const file = await parts.storage.open(storageKey, signal).catch(async (error: unknown) => {
    if (!(error instanceof HoldfastError) || error.code !== 'NOT_FOUND') throw error;
    await parts.catalog.backups.setMissing(backupId, true);
    throw new HoldfastError('STORAGE_UNAVAILABLE', `The bundle ${name} is gone from the storage.`, {
      hint: 'Put the file back, or choose another backup. The catalog marks this one as missing now.',
      cause: error,
    });
  });
  try {
    if (missing) await parts.catalog.backups.setMissing(backupId, false);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens the reader of a bundle; the reader owns the file and closes it. */
export async function openReader(
  parts: EngineParts,
  bundle: BundleFile,
  signal: AbortSignal,
): Promise<BundleReader> {
  const file = await bundle.open(signal);
  try {
    return await parts.bundles.openReader(file, signal);
  } catch (error) {
    await file.close();
    throw error;
  }
}
