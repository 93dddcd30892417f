/**
 * Takes the bytes of a bundle to storage while they are written, hashed on the way. Nothing is visible before the
 * storage has committed, and nothing of a failed one stays.
 */
import { createHash, type Hash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { BundleWriter } from '../bundle/bundle.ts';
import type { Compression, Manifest, ManifestDraft } from '../bundle/manifest.ts';
import type { Sealing } from '../bundle/sealing.ts';
import { throwIfAborted } from '../errors.ts';
import { letGo } from '../let-go.ts';
import type { EngineParts } from './parts.ts';
import { requireStorage } from './require-storage.ts';
import type { RunningRecord } from './running-record.ts';

/** What the writer may be ahead of the storage. */
const AHEAD_BYTES = 512 * 1024;

/** A bundle that is in storage. */
export interface StoredBundle {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  readonly checksum: string;
}

/** Where a bundle goes, how tight, and who can open it. */
export interface BundlePlace {
  readonly storageKey: string;
  readonly compression: Compression;
  readonly sealing: Sealing;
  /** A directory that is made and removed; that of the record unless given. */
  readonly spoolDirectory?: string;
}

/** Puts entries into a bundle and returns what its manifest is to say. The signal is that of record and storage. */
export type FillBundle = (writer: BundleWriter, signal: AbortSignal) => Promise<ManifestDraft>;

/** Stores the bundle that `fill` writes. @throws what `fill` throws; the storage's own error when that fails */
export async function storeBundle(
  parts: EngineParts,
  record: RunningRecord,
  place: BundlePlace,
  fill: FillBundle,
): Promise<StoredBundle> {
  const spoolDirectory = place.spoolDirectory ?? join(parts.directories.temporary, record.row.id);
  try {
    await mkdir(spoolDirectory, { recursive: true, mode: 0o700 });
    return await storeThrough(parts, record, place, spoolDirectory, fill);
  } finally {
    await rm(spoolDirectory, { recursive: true, force: true });
  }
}

/** Passes chunks on to `target`, and frees each as soon as it was taken. */
function hashedInto(target: Writable, hash: Hash): Writable {
  const sink = new Writable({
    highWaterMark: AHEAD_BYTES,
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      target.write(chunk, (error) => {
        // The writer gave it away, and the storage looks at it no more; after an error nobody knows.
        if (!error) letGo(chunk);
        done(error);
      });
    },
    final(done) {
      target.end(done);
    },
    destroy(error, done) {
      if (!target.writableFinished) target.destroy(error ?? undefined);
      done(error);
    },
  });
  target.on('error', (error) => sink.destroy(error));
  target.on('close', () => {
    if (!target.writableFinished) sink.destroy(new Error('the storage closed the bundle early'));
  });
  return sink;
}

async function storeThrough(
  parts: EngineParts,
  record: RunningRecord,
  { storageKey, compression, sealing }: BundlePlace,
  spoolDirectory: string,
  fill: FillBundle,
): Promise<StoredBundle> {
  await requireStorage(parts, record.row.workspaceId, record.signal);
  const upload = await parts.storage.create(storageKey, record.signal);
  // A storage that fails (full disk) must stop the writer at once, with the storage's own error.
  const storageFailed = new AbortController();
  const signal = AbortSignal.any([record.signal, storageFailed.signal]);
  const hash = createHash('sha256');
  const sink = hashedInto(upload.writable, hash);
  const stored = finished(sink);
  stored.catch((error: unknown) => storageFailed.abort(error));
  const writer = parts.bundles.createWriter({
    sink,
    spoolDirectory,
    compression,
    sealing,
    signer: parts.signer,
  });
  try {
    const draft = await fill(writer, signal);
    const { manifest, object } = await record.phase('STORE', async () => {
      const written = await writer.finish(draft, signal);
      await stored;
      throwIfAborted(signal);
      return { manifest: written, object: await upload.commit() };
    });
    return { manifest, sizeBytes: object.sizeBytes, checksum: hash.digest('hex') };
  } catch (error) {
    // Looked at before the stream is torn down, which it takes for a fault of its own.
    const cause =
      storageFailed.signal.aborted && !record.signal.aborted ? storageFailed.signal.reason : error;
    await writer.abort();
    sink.destroy();
    await stored.catch(() => undefined);
    await upload.abort().catch((leftover: unknown) => {
      parts.log.warn({ err: leftover, recordId: record.row.id }, 'an unfinished bundle could not be removed');
    });
    throw cause;
  }
}
