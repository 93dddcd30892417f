/** The content of one zip entry, checked while it streams: headers on both sides, size, CRC-32. */
import { pipeline, Readable } from 'node:stream';
import {
  constants,
  crc32,
  createInflateRaw,
  createZstdDecompress,
  inflateRawSync,
  zstdDecompressSync,
} from 'node:zlib';
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { inflatePieces } from './inflate-pieces.ts';
import { wrongContent } from './refusal.ts';
import { STORED, ZSTANDARD } from './zip-methods.ts';
import {
  descriptorMatches,
  LOCAL_HEADER_BYTES,
  localHeaderMatches,
  MOST_DESCRIPTOR_BYTES,
  type ZipEntry,
} from './zip-records.ts';

/** What is unpacked at a time: each piece is a trip to the thread pool and back. */
const CHUNK_BYTES = 128 * 1024;
/** Unpacked ahead of the reader, so that the pool works while a piece is looked at. */
const AHEAD_BYTES = CHUNK_BYTES;
/** 8 MiB. A frame that wants to look back farther could take memory as it pleases. */
const ZSTD_WINDOW_LOG = 23;
/** Entries up to this size are decompressed in one go. */
const SMALL_BYTES = 128 * 1024;

/** Cuts exact numbers of bytes off a stream. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Up to `most` bytes, as they come; empty at the end. */
  async some(most: number): Promise<Buffer> {
    if (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return this.#rest;
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** Exactly `length` bytes; meant for small numbers. */
  async exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = await this.some(missing);
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** The bytes between an entry's headers, after checking what is around them. */
async function* rawContent(file: RandomAccess, entry: ZipEntry, signal: AbortSignal): AsyncGenerator<Buffer> {
  const bytes = new ByteQueue(file.read(entry.offset, entry.end, signal));
  try {
    const headerBytes = LOCAL_HEADER_BYTES + entry.name.length;
    const header = await bytes.exactly(headerBytes);
    const room = entry.end - entry.offset;
    if (header.length < Math.min(headerBytes, room)) throw endedEarly(entry);
    if (!localHeaderMatches(header, entry)) {
      throw wrongContent(entry.name, 'has a header that contradicts the directory');
    }
    const after = room - headerBytes - entry.compressedSize;
    if (after < 0) throw wrongContent(entry.name, 'is cut short');
    for (let missing = entry.compressedSize; missing > 0; ) {
      const chunk = await bytes.some(missing);
      if (chunk.length === 0) throw endedEarly(entry);
      missing -= chunk.length;
      yield chunk;
    }
    // Measured first: the manifest is read before the layout is checked, and anything may lie behind it.
    const descriptor = after > MOST_DESCRIPTOR_BYTES ? undefined : await bytes.exactly(after);
    if (descriptor !== undefined && descriptor.length < after) throw endedEarly(entry);
    if (descriptor === undefined || !descriptorMatches(descriptor, entry)) {
      throw wrongContent(entry.name, 'is followed by something that contradicts the directory');
    }
  } finally {
    await bytes.close();
  }
}

/** Entries lie within the file, so what is missing of one was not given. */
function endedEarly({ name }: ZipEntry): HoldfastError {
  return new HoldfastError('STORAGE_UNAVAILABLE', `The storage gave only a part of ${name}.`, {
    hint: 'Check that the storage is healthy, then try again.',
  });
}

/**
 * As one stream.
 * @param bytesBefore of the compressed content, that were unpacked already; `before` is what they came to last
 */
async function* unpacked(
  raw: AsyncIterable<Buffer>,
  entry: ZipEntry,
  bytesBefore = 0,
  before: Buffer = Buffer.alloc(0),
): AsyncGenerator<Buffer> {
  const options = { chunkSize: CHUNK_BYTES, readableHighWaterMark: AHEAD_BYTES };
  const unpacking =
    entry.method === ZSTANDARD
      ? createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } })
      : createInflateRaw(before.length === 0 ? options : { ...options, dictionary: before });
  // The pipeline's errors destroy `unpacking`, which hands them to the loop.
  pipeline(Readable.from(raw, { objectMode: false, highWaterMark: CHUNK_BYTES }), unpacking, () => {});
  yield* unpacking;
  if (unpacking.bytesWritten !== entry.compressedSize - bytesBefore) throw notConsumed(entry);
}

/**
 * In one go: most files are small, and a stream for each would cost them ten times their time and leave the
 * heap in shreds.
 */
async function* unpackedAtOnce(raw: AsyncIterable<Buffer>, entry: ZipEntry): AsyncGenerator<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of raw) chunks.push(chunk);
  // One byte more than recorded is room enough to see that there is more than recorded.
  const options = { info: true, maxOutputLength: entry.size + 1, chunkSize: Math.max(64, entry.size + 1) };
  const packed = Buffer.concat(chunks);
  const result: unknown =
    entry.method === ZSTANDARD
      ? zstdDecompressSync(packed, {
          ...options,
          params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
        })
      : inflateRawSync(packed, options);
  const { buffer, engine } = inflateInfo.parse(result);
  yield buffer;
  if (engine.bytesWritten !== entry.compressedSize) throw notConsumed(entry);
}

/** What `info: true` makes of the result, which the types do not tell. */
const inflateInfo = z.object({
  buffer: z.instanceof(Buffer),
  engine: z.object({ bytesWritten: z.number() }),
});

function notConsumed(entry: ZipEntry): Error {
  return wrongContent(entry.name, 'holds more than its compressed content');
}

function uncompressed(raw: AsyncIterable<Buffer>, entry: ZipEntry, fleeting: boolean): AsyncIterable<Buffer> {
  if (entry.method === STORED) return raw;
  if (entry.compressedSize <= SMALL_BYTES && entry.size <= SMALL_BYTES) return unpackedAtOnce(raw, entry);
  if (entry.method === ZSTANDARD) return unpacked(raw, entry);
  return inflatePieces(raw, entry.compressedSize, {
    free: fleeting,
    rest: (rest, bytesBefore, before) => unpacked(rest, entry, bytesBefore, before),
  });
}

/**
 * Streams an entry. The last chunk is given out before the checks at the end; the iteration throws when they fail.
 * @param fleeting the reader looks at no chunk any more when it asks for the next
 * @throws INVALID_CHECKSUM naming the entry; errors of the storage as they are
 */
export async function* entryContent(
  file: RandomAccess,
  entry: ZipEntry,
  signal: AbortSignal,
  fleeting = false,
): AsyncGenerator<Buffer> {
  const raw = rawContent(file, entry, signal);
  let crc = 0;
  let size = 0;
  try {
    for await (const chunk of uncompressed(raw, entry, fleeting)) {
      size += chunk.length;
      if (size > entry.size) throw wrongContent(entry.name, `unpacks to more than its ${entry.size} bytes`);
      crc = crc32(chunk, crc);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw wrongContent(entry.name, 'cannot be decompressed', error);
  }
  if (size !== entry.size) throw wrongContent(entry.name, `has ${size} bytes instead of ${entry.size}`);
  if (crc !== entry.crc) throw wrongContent(entry.name, 'does not match its CRC');
}
