/** From a backup or an upload to a bundle that can be read. */
import { join } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import type { Unlocking } from '../bundle/sealing.ts';
import type { BackupRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { BundleOrigin, Unlock } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { requireStorage } from './require-storage.ts';

/** What is known of a bundle before it is opened. */
export interface BundleFile {
  readonly workspaceId: string;
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
      workspaceId,
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
    workspaceId,
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
  { id: backupId, workspaceId, storageKey, name, missing }: BackupRow,
  signal: AbortSignal,
): Promise<RandomAccess> {
  const file = await parts.storage.open(storageKey, signal).catch(async (error: unknown) => {
    if (!(error instanceof HoldfastError) || error.code !== 'NOT_FOUND') throw error;
    await requireStorage(parts, workspaceId, signal);
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

/** What opens the bundles of a workspace: the keys it keeps, and what the caller gave. */
export function unlockingOf(parts: EngineParts, workspaceId: string, unlock: Unlock = {}): Unlocking {
  return {
    ...unlock,
    key: async (keyId) => (await parts.catalog.encryptionKeys.find(workspaceId, keyId))?.key,
  };
}

/**
 * Opens the reader of a bundle; the reader owns the file and closes it.
 * @throws what BundleReader of bundle/bundle.ts lists; DECRYPTION_FAILED also when nothing at hand opens the bundle
 */
export async function openReader(
  parts: EngineParts,
  bundle: BundleFile,
  unlock: Unlock | undefined,
  signal: AbortSignal,
): Promise<BundleReader> {
  const file = await bundle.open(signal);
  try {
    const reader = await parts.bundles.openReader(file, signal, {
      unlock: unlockingOf(parts, bundle.workspaceId, unlock),
    });
    requireUnlocked(reader, bundle);
    return reader;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws HoldfastError DECRYPTION_FAILED when the reader can tell nothing but the manifest */
export function requireUnlocked({ locked, manifest }: BundleReader, bundle: BundleFile): void {
  if (!locked) return;
  const { encryption } = manifest;
  const [how, hint] =
    encryption.mode === 'KEY'
      ? [
          `with the key ${encryption.keyId}, which is not kept here`,
          'Only the instance that made it, or its recovery kit, has the key: restore it there; or holdfast recover makes that instance anew from the kit, and open-bundle.mjs in it opens the bundle by hand.',
        ]
      : encryption.mode === 'PASSPHRASE'
        ? ['with a passphrase', 'Give the passphrase as unlock.passphrase.']
        : [
            'for the recipients on its manifest',
            'Give an identity of one of them (AGE-SECRET-KEY-1…) as unlock.identities.',
          ];
  throw new HoldfastError(
    'DECRYPTION_FAILED',
    `The bundle ${bundle.name} is sealed ${how}. Nothing was changed.`,
    { hint },
  );
}
