/** What lies in the storage and is not in the catalog. Memory does not grow with what lies there. */
import { HoldfastError } from '../errors.ts';
import type { StoredObject } from '../storage/storage.ts';
import type { Actor, UnknownBundle, UnknownBundlePage, UnknownBundleRange } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { readRequest } from './record-request.ts';
import { requireStorage } from './require-storage.ts';
import { signerOf } from './trust.ts';

/** Objects the catalog is asked for at once. */
const BATCH = 500;

/**
 * Every stored object of the workspace that no backup has and no running record is about to give one; in no order.
 * @param wanted objects it refuses are left out unasked
 * @throws HoldfastError STORAGE_UNAVAILABLE
 */
export async function* unknownObjects(
  parts: EngineParts,
  workspaceId: string,
  wanted: (key: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<StoredObject> {
  await requireStorage(parts, workspaceId, signal);
  let batch: StoredObject[] = [];
  for await (const object of parts.storage.list(workspaceId, signal)) {
    if (!wanted(object.key)) continue;
    batch.push(object);
    if (batch.length < BATCH) continue;
    yield* await withoutRow(parts, batch);
    batch = [];
  }
  yield* await withoutRow(parts, batch);
}

async function withoutRow(
  parts: EngineParts,
  objects: readonly StoredObject[],
): Promise<readonly StoredObject[]> {
  if (objects.length === 0) return [];
  // Records first: one that ends between the two questions has written its row by the second.
  const inWork = await keysInWork(parts);
  const known = await parts.catalog.backups.knownKeys(objects.map(({ key }) => key));
  return objects.filter(({ key }) => !known.has(key) && !inWork.has(key));
}

/** Storage keys that an unfinished record writes, is about to catalogue, or will remove again (a self-test). */
export async function keysInWork(parts: EngineParts): Promise<ReadonlySet<string>> {
  const unfinished = await parts.catalog.records.unfinished();
  // Whatever the kind: only requests of records that write a bundle, or give one a row, name a key.
  return new Set(
    unfinished.flatMap((record) => readRequest<{ storageKey?: string }>(record).storageKey ?? []),
  );
}

/**
 * One page, by name. The whole folder is listed for it, since storages list in no order.
 * @throws HoldfastError STORAGE_UNAVAILABLE
 */
export async function unknownBundles(
  parts: EngineParts,
  { workspaceId }: Actor,
  { after, count }: UnknownBundleRange,
  signal: AbortSignal,
): Promise<UnknownBundlePage> {
  const first: StoredObject[] = [];
  const lies = (key: string): boolean => {
    const last = first.length > count ? first.at(-1) : undefined;
    return (after === null || key > after) && (last === undefined || key < last.key);
  };
  for await (const object of unknownObjects(parts, workspaceId, lies, signal)) {
    if (!lies(object.key)) continue;
    const place = first.findIndex(({ key }) => key > object.key);
    first.splice(place === -1 ? first.length : place, 0, object);
    // One more than the page tells whether another follows.
    if (first.length > count + 1) first.pop();
  }
  const bundles: UnknownBundle[] = [];
  for (const object of first.slice(0, count)) bundles.push(await lookAt(parts, workspaceId, object, signal));
  return { bundles, more: first.length > count };
}

/** What can be told of it without a key; what is wrong with it goes into `problem`. */
async function lookAt(
  parts: EngineParts,
  workspaceId: string,
  { key, sizeBytes, modifiedAt }: StoredObject,
  signal: AbortSignal,
): Promise<UnknownBundle> {
  const found = { storageKey: key, name: key.slice(key.lastIndexOf('/') + 1), sizeBytes, modifiedAt };
  try {
    const file = await parts.storage.open(key, signal);
    try {
      const { manifest, signature } = await parts.bundles.openReader(file, signal);
      const { createdAt, source, encryption, formatVersion } = manifest;
      const signer = await signerOf(parts, workspaceId, signature);
      const said = { createdAt: new Date(createdAt), sourceName: source.name, encryption, formatVersion };
      return { ...found, bundle: { ...said, signer }, problem: null };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === 'CANCELED') throw error;
    return { ...found, bundle: null, problem: error.message };
  }
}
