/** The two checks every bundle passes before anybody relies on it. */
import { createHash } from 'node:crypto';
import type { BundleReader, ContentReport, RowDepth } from '../bundle/bundle.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { type BundleFile, unlockingOf } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import type { RunningRecord } from './running-record.ts';

/** SHA-256 of a whole file, hexadecimal. @throws HoldfastError STORAGE_UNAVAILABLE when the storage gives another number of bytes */
export async function hashFile(
  file: RandomAccess,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of file.read(0, file.sizeBytes, signal)) {
    hash.update(chunk);
    read += chunk.length;
    onBytes(chunk.length);
  }
  if (read !== file.sizeBytes) {
    throw new HoldfastError(
      'STORAGE_UNAVAILABLE',
      `The storage gave ${read} of ${file.sizeBytes} bytes of a bundle.`,
      { hint: 'Check that the storage is healthy, then try again.' },
    );
  }
  return hash.digest('hex');
}

/** Phase CHECKSUM: size and SHA-256 of the file against the catalog. @throws HoldfastError INVALID_CHECKSUM */
export async function checkChecksum(record: RunningRecord, bundle: BundleFile): Promise<void> {
  await record.phase('CHECKSUM', async (meter) => {
    const file = await bundle.open(record.signal);
    try {
      meter.expect({ bytes: bundle.sizeBytes });
      meter.item(bundle.name);
      if (file.sizeBytes !== bundle.sizeBytes) {
        throw damaged(bundle, `it has ${file.sizeBytes} bytes, the catalog says ${bundle.sizeBytes}`);
      }
      const checksum = await hashFile(file, (bytes) => meter.add({ bytes }), record.signal);
      if (checksum !== bundle.checksum) throw damaged(bundle, 'its SHA-256 is not the one in the catalog');
    } finally {
      await file.close();
    }
  });
}

function damaged(bundle: BundleFile, how: string): HoldfastError {
  return new HoldfastError('INVALID_CHECKSUM', `The bundle ${bundle.name} is damaged: ${how}.`, {
    hint: 'Use another backup or a copy of this one. Nothing was changed.',
  });
}

/** Looks at a bundle that was opened, before its content is read; throws to refuse it. */
export type AcceptBundle = (reader: BundleReader) => Promise<void> | void;

/**
 * Phase CONTENT: opens the bundle, lets `accept` refuse it, and checks every entry's CRC, SHA-256, size and row count against the manifest,
 * then hands it to `work`, which sees only bundles that passed.
 * @param rows COUNTED is enough for who compares what the database made of them with their digests before it counts
 */
export async function withCheckedBundle<T>(
  parts: EngineParts,
  record: RunningRecord,
  bundle: BundleFile,
  accept: AcceptBundle,
  rows: RowDepth,
  work: (reader: BundleReader, report: ContentReport) => Promise<T>,
): Promise<T> {
  const { signal } = record;
  const file = await bundle.open(signal);
  try {
    const { reader, report } = await record.phase('CONTENT', async (meter) => {
      const opened = await openWith(parts, record, bundle, file);
      await accept(opened);
      meter.expect({ bytes: contentBytes(opened) });
      return { reader: opened, report: await opened.verifyContent(meter.add, signal, undefined, rows) };
    });
    return await work(reader, report);
  } finally {
    await file.close();
  }
}

/**
 * Phase CONTENT of a verification: goes on after an entry that is damaged, so that each is told, and fails at the end
 * with the first. A bundle that passed, or stayed locked, is handed to `then`, still open.
 */
export async function inspectContent(
  parts: EngineParts,
  record: RunningRecord,
  bundle: BundleFile,
  onDamage: (entry: string, error: HoldfastError) => void,
  then: (reader: BundleReader, report: ContentReport) => Promise<void>,
): Promise<void> {
  const { signal } = record;
  const file = await bundle.open(signal);
  try {
    const { reader, report } = await record.phase('CONTENT', async (meter) => {
      const opened = await openWith(parts, record, bundle, file);
      meter.expect({ bytes: contentBytes(opened) });
      let first: HoldfastError | undefined;
      const found = await opened.verifyContent(meter.add, signal, (entry, error) => {
        first ??= error;
        onDamage(entry, error);
      });
      if (first !== undefined) throw first;
      return { reader: opened, report: found };
    });
    await then(reader, report);
  } finally {
    await file.close();
  }
}

/** Opens it with the keys of the workspace and what the record was given; it may stay locked. */
async function openWith(
  parts: EngineParts,
  record: RunningRecord,
  bundle: BundleFile,
  file: RandomAccess,
): Promise<BundleReader> {
  const unlock = unlockingOf(parts, bundle.workspaceId, record.unlock);
  return await parts.bundles.openReader(file, record.signal, { unlock });
}

/** Content bytes as the manifest counts them, before compression. */
function contentBytes(reader: BundleReader): number {
  const tables = reader.manifest.database?.tables.reduce((sum, table) => sum + table.bytes, 0) ?? 0;
  return tables + reader.manifest.trees.reduce((sum, tree) => sum + tree.bytes, 0);
}
