/** Bundles that lie in storage without a row in the catalog: read where they are, so that they can get one. */
import type { ManifestSignature } from '../bundle/sealing.ts';
import { HoldfastError } from '../errors.ts';
import type { StoredObject } from '../storage/storage.ts';
import { hashFile } from './check-bundle.ts';
import type { EngineParts } from './parts.ts';
import type { StoredBundle } from './store-bundle.ts';

/** What the catalog wants to know of a bundle, and who signed it. */
export interface FoundBundle extends StoredBundle {
  readonly signature: ManifestSignature;
  /** As it lay there before it was read. */
  readonly object: StoredObject;
}

/**
 * Reads the manifest of a stored bundle and the SHA-256 of the whole; needs no key, and looks at no content.
 * @param onBytes told of bytes that were hashed
 * @throws HoldfastError NOT_FOUND, INVALID_CHECKSUM when it changes meanwhile, and what opening a reader throws
 */
export async function readStoredBundle(
  parts: EngineParts,
  storageKey: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<FoundBundle> {
  const object = await parts.storage.stat(storageKey, signal);
  if (object === undefined) {
    throw new HoldfastError('NOT_FOUND', `The storage holds no object ${storageKey}.`);
  }
  const file = await parts.storage.open(storageKey, signal);
  try {
    const checksum = await hashFile(file, onBytes, signal);
    const { manifest, signature } = await parts.bundles.openReader(file, signal);
    await requireUnchanged(parts, object, signal);
    return { manifest, signature, sizeBytes: file.sizeBytes, checksum, object };
  } finally {
    await file.close();
  }
}

/** @throws HoldfastError INVALID_CHECKSUM when somebody wrote to it since; also when it is gone */
export async function requireUnchanged(
  parts: EngineParts,
  before: StoredObject,
  signal: AbortSignal,
): Promise<void> {
  const now = await parts.storage.stat(before.key, signal);
  const same =
    now?.sizeBytes === before.sizeBytes && now.modifiedAt.getTime() === before.modifiedAt.getTime();
  if (same) return;
  throw new HoldfastError('INVALID_CHECKSUM', `The file ${before.key} changed while it was read.`, {
    hint: 'Wait until it is copied whole, then try again.',
  });
}
