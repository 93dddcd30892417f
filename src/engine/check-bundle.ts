/** The two checks every bundle passes before anybody relies on it. */
import { createHash } from 'node:crypto';
import type { BundleReader, ContentReport } from '../bundle/bundle.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { BundleFile } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import type { RunningRecord } from './running-record.ts';

/** SHA-256 of a whole file, hexadecimal. */
export async function hashFile(
  file: RandomAccess,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of file.read(0, file.sizeBytes, signal)) {
    hash.update(chunk);
    onBytes(chunk.length);
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

/** Phase CONTENT: every entry's CRC, SHA-256, size and row count against the manifest. */
export async function checkContent(record: RunningRecord, reader: BundleReader): Promise<ContentReport> {
  return await record.phase('CONTENT', async (meter) => {
    meter.expect({ bytes: contentBytes(reader) });
    return await reader.verifyContent(meter.add, record.signal);
  });
}

/** Opens a bundle's reader inside a check, so that the fault is told in the phase that found it. */
export async function withReader<T>(
  parts: EngineParts,
  bundle: BundleFile,
  signal: AbortSignal,
  work: (reader: BundleReader) => Promise<T>,
): Promise<T> {
  const file = await bundle.open(signal);
  try {
    return await work(await parts.bundles.openReader(file, signal));
  } finally {
    await file.close();
  }
}

/** Content bytes as the manifest counts them, before compression. */
function contentBytes(reader: BundleReader): number {
  const tables = reader.manifest.database?.tables.reduce((sum, table) => sum + table.bytes, 0) ?? 0;
  return tables + reader.manifest.trees.reduce((sum, tree) => sum + tree.bytes, 0);
}
