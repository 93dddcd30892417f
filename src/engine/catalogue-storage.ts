/**
 * Catalogues every bundle of a workspace that lies in the storage, for a catalog that is made anew: of each its
 * manifest is read and its bytes are hashed.
 */
import { createHash } from 'node:crypto';
import type { BackupRow } from '../catalog/catalog.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { StoredObject } from '../storage/storage.ts';
import type { EngineParts } from './parts.ts';

/** What it takes to catalogue bundles. */
export type CatalogueParts = Pick<EngineParts, 'catalog' | 'storage' | 'bundles' | 'now'>;

/** How far it is. */
export interface CatalogueProgress {
  readonly bundles: number;
  readonly bundlesInAll: number;
  readonly bytes: number;
  readonly bytesInAll: number;
}

/** Who is told what happens; each must return at once. */
export interface CatalogueWatcher {
  onProgress(progress: CatalogueProgress): void;
  onCatalogued(backup: BackupRow): void;
  /** A file that is no bundle or is damaged: it stays where it is, and is not in the catalog. */
  onSkipped(name: string, error: HoldfastError): void;
}

/**
 * Catalogues the bundles of a workspace. Changes nothing in the storage.
 * @throws HoldfastError STORAGE_UNAVAILABLE when the storage cannot be listed, CANCELED
 */
export async function catalogueStorage(
  parts: CatalogueParts,
  workspaceId: string,
  watcher: CatalogueWatcher,
  signal: AbortSignal,
): Promise<void> {
  let [bundlesInAll, bytesInAll] = [0, 0];
  for await (const { sizeBytes } of bundlesOf(parts, workspaceId, signal)) {
    bundlesInAll++;
    bytesInAll += sizeBytes;
  }
  let [bundles, bytes] = [0, 0];
  const tell = (): void => watcher.onProgress({ bundles, bundlesInAll, bytes, bytesInAll });
  const onBytes = (more: number): void => {
    bytes += more;
    tell();
  };
  for await (const object of bundlesOf(parts, workspaceId, signal)) {
    try {
      watcher.onCatalogued(await catalogueBundle(parts, workspaceId, object, onBytes, signal));
    } catch (error) {
      throwIfAborted(signal);
      // One bundle that cannot be read must not keep the others from being found. A fault of ours does.
      if (!(error instanceof HoldfastError)) throw error;
      watcher.onSkipped(object.key, error);
    }
    bundles++;
    tell();
  }
}

async function* bundlesOf(
  { storage }: CatalogueParts,
  workspaceId: string,
  signal: AbortSignal,
): AsyncGenerator<StoredObject> {
  for await (const object of storage.list(workspaceId, signal)) {
    if (object.key.endsWith('.zip')) yield object;
  }
}

/**
 * Catalogues a bundle of a workspace as it lies there; of what it holds only what opening checks is checked. It belongs
 * to the source that its manifest names, if the workspace has it.
 * @param onBytes called often, with bytes that were hashed
 * @throws HoldfastError what opening a bundle throws, NOT_FOUND, UNSAFE_PATH, STORAGE_UNAVAILABLE, CANCELED
 */
async function catalogueBundle(
  parts: CatalogueParts,
  workspaceId: string,
  { key }: StoredObject,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<BackupRow> {
  const file = await parts.storage.open(key, signal);
  // It closes the file when it refuses.
  const reader = await parts.bundles.openReader(file, signal);
  try {
    const { manifest } = reader;
    const hash = createHash('sha256');
    // Chunks of a stream without an encoding are buffers.
    for await (const chunk of file.read(0, file.sizeBytes, signal) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      onBytes(chunk.length);
    }
    const source = await parts.catalog.sources.find(workspaceId, manifest.source.id);
    const now = parts.now();
    const made = new Date(manifest.createdAt);
    return await parts.catalog.backups.create({
      workspaceId,
      sourceId: source?.id ?? null,
      jobId: null,
      name: key.slice(key.lastIndexOf('/') + 1),
      storageKey: key,
      sizeBytes: BigInt(file.sizeBytes),
      checksum: hash.digest('hex'),
      formatVersion: manifest.formatVersion,
      trigger: manifest.trigger,
      manifest,
      // As in create-backup.ts: a clock that ran ahead must not make it the newest for years.
      createdAt: made > now ? now : made,
    });
  } finally {
    await reader.close();
  }
}
