import type { Readable } from 'node:stream';
import { FRAME, FRAME_HEADER_BYTES } from './protocol.ts';

/** A whole MESSAGE, or a piece of DATA; `last` on the piece that ends its frame. */
export interface Frame {
  readonly kind: number;
  readonly chunk: Buffer;
  readonly last: boolean;
}

/** Cuts a stream into frames. DATA is handed on as it arrives, so no frame is ever whole in memory. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #kind = 0;
  #missing = 0;

  constructor(stream: Readable) {
    this.#chunks = stream.iterator({ destroyOnReturn: false });
  }

  /** The next frame; undefined when the stream has ended or broken. */
  async next(): Promise<Frame | undefined> {
    if (this.#missing === 0) {
      if (!(await this.#atLeast(FRAME_HEADER_BYTES))) return undefined;
      this.#kind = this.#rest.readUInt8(0);
      this.#missing = this.#rest.readUInt32LE(1);
      this.#rest = this.#rest.subarray(FRAME_HEADER_BYTES);
    }
    const wanted = this.#kind === FRAME.MESSAGE ? this.#missing : Math.min(this.#missing, 1);
    if (!(await this.#atLeast(wanted))) return undefined;
    const chunk = this.#rest.subarray(0, this.#missing);
    this.#rest = this.#rest.subarray(chunk.length);
    this.#missing -= chunk.length;
    return { kind: this.#kind, chunk, last: this.#missing === 0 };
  }

  async #atLeast(length: number): Promise<boolean> {
    if (this.#rest.length >= length) return true;
    const parts = [this.#rest];
    let size = this.#rest.length;
    while (size < length) {
      const read = await this.#chunks.next().catch(() => undefined);
      if (read === undefined || read.done === true) return false;
      parts.push(read.value);
      size += read.value.length;
    }
    // Most often nothing was left of the chunk before, and nothing has to be copied.
    const filled = parts.filter((part) => part.length > 0);
    this.#rest = filled.length === 1 && filled[0] !== undefined ? filled[0] : Buffer.concat(filled);
    return true;
  }
}
