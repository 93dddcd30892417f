/**
 * The file a recovery kit is: an age file for a passphrase (c2sp.org/age), which the program `age` opens, around an
 * ordinary zip, which `unzip` opens. It is small, so it is made and read in memory.
 */
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { readRange } from './read-range.ts';
import { MOST_AGE_HEADER_BYTES, newPassphraseHead, openPassphraseHead } from './seal/age-payload.ts';
import { sealedAccess } from './seal/sealed-access.ts';
import { SealingStream } from './seal/sealing-stream.ts';
import { directoryRecord, dosTime, endRecords, localHeader } from './write-zip-records.ts';
import { entryContent } from './zip-content.ts';
import { ZipDirectory } from './zip-directory.ts';
import { STORED } from './zip-methods.ts';

/** A file in a kit. */
export interface KitFile {
  /** ASCII, without a folder. */
  readonly name: string;
  readonly content: Buffer;
}

/** How messages call what the age file holds. */
const INSIDE = 'recovery-kit.zip';
/** A regular file that its owner alone may read. */
const MODE = 0o100600;
/** Thousands of sources fit; a kit that unpacks to more is none. */
const MOST_BYTES = 64 * 1024 * 1024;
const LIMITS = { ...DEFAULT_LIMITS, entries: 64, entryBytes: MOST_BYTES, totalBytes: MOST_BYTES };

/** Makes the file: takes half a second and 128 MiB, for scrypt. */
export async function sealRecoveryKit(
  files: readonly KitFile[],
  passphrase: string,
  at: Date,
): Promise<Buffer> {
  const sealing = new SealingStream(newPassphraseHead(passphrase));
  sealing.end(zipOf(files, at));
  const chunks: Buffer[] = [];
  for await (const chunk of sealing) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * The files in a kit, by name.
 * @throws HoldfastError DECRYPTION_FAILED when the passphrase is another, INVALID_CHECKSUM when the file was changed or
 *   is no kit; errors of reading it as they are
 */
export async function openRecoveryKit(
  file: RandomAccess,
  passphrase: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  try {
    const start = await readRange(file, 0, Math.min(file.sizeBytes, MOST_AGE_HEADER_BYTES), signal);
    const { header, cipher } = await openPassphraseHead(start, INSIDE, passphrase);
    return await unzipped(
      sealedAccess({ file, start: header.length, end: file.sizeBytes, cipher, entry: INSIDE }),
      signal,
    );
  } catch (error) {
    throw inWordsOfKits(error);
  }
}

function zipOf(files: readonly KitFile[], at: Date): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of files) {
    const { length } = content;
    const sizes = { crc: crc32(content), compressedSize: length, size: length };
    const time = dosTime(at.getTime());
    const entry = { name, mode: MODE, time, method: STORED, deferred: false, offset, ...sizes };
    const header = localHeader(entry);
    parts.push(header, content);
    directory.push(directoryRecord(entry));
    offset += header.length + length;
  }
  const records = Buffer.concat(directory);
  return Buffer.concat([...parts, records, endRecords(files.length, offset, records.length)]);
}

async function unzipped(zip: RandomAccess, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
  const directory = await ZipDirectory.load(zip, LIMITS, signal);
  directory.checkLayout(LIMITS);
  const files = new Map<string, Buffer>();
  for (const entry of directory.entries()) {
    const chunks: Buffer[] = [];
    for await (const chunk of entryContent(zip, entry, signal)) chunks.push(chunk);
    files.set(entry.name, Buffer.concat(chunks));
  }
  return files;
}

/** What was thrown speaks of bundles. */
function inWordsOfKits(error: unknown): unknown {
  if (!(error instanceof HoldfastError)) return error;
  switch (error.code) {
    case 'DECRYPTION_FAILED':
      return new HoldfastError('DECRYPTION_FAILED', 'The recovery kit does not open with this passphrase.', {
        hint: 'Type it exactly as it was given to createRecoveryKit: upper and lower case, spaces too.',
      });
    case 'INVALID_CHECKSUM':
    case 'INVALID_MANIFEST':
      return new HoldfastError('INVALID_CHECKSUM', 'The file is no recovery kit, or it was damaged.', {
        hint: 'Take another copy of the kit.',
        cause: error,
      });
    default:
      return error;
  }
}
