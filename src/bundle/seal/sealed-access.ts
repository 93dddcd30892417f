/** Random access to what a payload holds, decrypting the chunks that are asked for and no others. */
import { Readable } from 'node:stream';
import type { RandomAccess } from '../../storage/storage.ts';
import { wrongContent } from '../refusal.ts';
import {
  CHUNK_BYTES,
  type ChunkCipher,
  type ChunkLayout,
  layoutOf,
  openChunk,
  SEALED_CHUNK_BYTES,
} from './chunks.ts';

/** Chunks kept: those in which reads ended lately, where the next ones begin. More than there are reads at once. */
const KEPT_CHUNKS = 8;

/** Where the chunks of a payload lie, and what opens them. */
export interface SealedChunks {
  readonly file: RandomAccess;
  /** Of the first chunk, in the file. */
  readonly start: number;
  readonly end: number;
  readonly cipher: ChunkCipher;
  /** How messages call the payload. */
  readonly entry: string;
}

/**
 * What is sealed, as if it were a file of its own. Reads throw INVALID_CHECKSUM for a chunk that is not what was
 * sealed in its place. Closing it closes nothing: the file belongs to who opened it.
 * @throws INVALID_CHECKSUM when chunks cannot have this size
 */
export function sealedAccess(sealed: SealedChunks): RandomAccess {
  const layout = layoutOf(sealed.end - sealed.start);
  if (layout === undefined) throw wrongContent(sealed.entry, 'is cut short');
  return new SealedAccess(sealed, layout);
}

class SealedAccess implements RandomAccess {
  readonly sizeBytes: number;
  readonly #sealed: SealedChunks;
  readonly #chunks: number;
  /** By their number; the one used last comes last. */
  readonly #kept = new Map<number, Buffer>();

  constructor(sealed: SealedChunks, { chunks, plainBytes }: ChunkLayout) {
    this.#sealed = sealed;
    this.#chunks = chunks;
    this.sizeBytes = plainBytes;
  }

  read(start: number, end: number, signal: AbortSignal): Readable {
    if (start < 0 || end < start || end > this.sizeBytes) {
      throw new RangeError(`bytes ${start} to ${end} lie outside of ${this.#sealed.entry}`);
    }
    return Readable.from(this.#plain(start, end, signal), { objectMode: false, highWaterMark: CHUNK_BYTES });
  }

  async close(): Promise<void> {
    this.#kept.clear();
  }

  async *#plain(start: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    if (start === end) return;
    let index = Math.floor(start / CHUNK_BYTES);
    const last = Math.floor((end - 1) / CHUNK_BYTES);
    const cut = (plain: Buffer): Buffer =>
      plain.subarray(Math.max(0, start - index * CHUNK_BYTES), end - index * CHUNK_BYTES);
    for (let plain = this.#kept.get(index); plain !== undefined && index <= last; ) {
      this.#keep(index, plain);
      yield cut(plain);
      plain = this.#kept.get(++index);
    }
    if (index > last) return;
    for await (const sealed of this.#sealedChunks(index, last, signal)) {
      const plain = this.#open(index, sealed);
      if (index === last) this.#keep(index, plain);
      yield cut(plain);
      index++;
    }
  }

  /** Whole chunks, read as one range. */
  async *#sealedChunks(first: number, last: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { file, start, end } = this.#sealed;
    const from = start + first * SEALED_CHUNK_BYTES;
    const to = Math.min(end, start + (last + 1) * SEALED_CHUNK_BYTES);
    const chunk = Buffer.allocUnsafe(Math.min(SEALED_CHUNK_BYTES, to - from));
    let length = 0;
    let missing = to - from;
    for await (const piece of file.read(from, to, signal) as AsyncIterable<Buffer>) {
      for (let taken = 0; taken < piece.length; ) {
        const copied = piece.copy(chunk, length, taken);
        taken += copied;
        length += copied;
        missing -= copied;
        if (length < chunk.length && missing > 0) continue;
        yield chunk.subarray(0, length);
        length = 0;
      }
    }
  }

  #open(index: number, sealed: Buffer): Buffer {
    const plain = openChunk(this.#sealed.cipher, { index, last: index === this.#chunks - 1 }, sealed);
    if (plain === undefined) {
      const at = `${index * CHUNK_BYTES} of what it seals`;
      throw wrongContent(this.#sealed.entry, `does not open from byte ${at} on`);
    }
    return plain;
  }

  #keep(index: number, plain: Buffer): void {
    this.#kept.delete(index);
    this.#kept.set(index, plain);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_CHUNKS && oldest !== undefined) this.#kept.delete(oldest);
  }
}
