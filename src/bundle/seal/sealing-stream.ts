/** Plain bytes in, a payload out: its header, then sealed chunks. */
import { Transform, type TransformCallback } from 'node:stream';
import { letGo } from '../../let-go.ts';
import { CHUNK_BYTES, SEALED_CHUNK_BYTES, sealChunk, TAG_BYTES } from './chunks.ts';
import type { PayloadHead } from './payload-head.ts';

/** Sealed ahead of the reader. */
const AHEAD_BYTES = 512 * 1024;

/** Seals what is written, which is its own from then on. Holds back one chunk at most, since only the end tells which one is the last. */
export class SealingStream extends Transform {
  readonly #making: Promise<PayloadHead>;
  #head: PayloadHead | undefined;
  readonly #held = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #heldBytes = 0;
  #chunks = 0;

  /** @param head may take its time: what is written meanwhile waits */
  constructor(head: Promise<PayloadHead>) {
    super({ readableHighWaterMark: AHEAD_BYTES, writableHighWaterMark: AHEAD_BYTES });
    this.#making = head;
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#making.then((head) => {
      this.#head = head;
      this.push(head.header);
      done();
    }, done);
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // All chunks that are complete and known not to be the last leave as one piece.
    const complete = Math.max(0, Math.ceil((this.#heldBytes + bytes.length) / CHUNK_BYTES) - 1);
    const sealed = Buffer.allocUnsafe(complete * SEALED_CHUNK_BYTES);
    let at = 0;
    let taken = 0;
    for (let chunk = 0; chunk < complete; chunk++) {
      if (this.#heldBytes === 0) {
        at = this.#seal(bytes.subarray(taken, taken + CHUNK_BYTES), false, sealed, at);
        taken += CHUNK_BYTES;
      } else {
        taken += this.#hold(bytes.subarray(taken));
        at = this.#seal(this.#held, false, sealed, at);
        this.#heldBytes = 0;
      }
    }
    this.#hold(bytes.subarray(taken));
    // What is written is the stream's own, and was copied or sealed.
    letGo(bytes);
    if (complete > 0) done(null, sealed);
    else done();
  }

  override _flush(done: TransformCallback): void {
    const sealed = Buffer.allocUnsafe(this.#heldBytes + TAG_BYTES);
    this.#seal(this.#held.subarray(0, this.#heldBytes), true, sealed, 0);
    done(null, sealed);
  }

  /** Keeps what fits. */
  #hold(bytes: Buffer): number {
    const copied = bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes += copied;
    return copied;
  }

  #seal(plain: Buffer, last: boolean, into: Buffer, at: number): number {
    if (this.#head === undefined) throw new Error('sealed before there was a key');
    return sealChunk(this.#head.cipher, { index: this.#chunks++, last }, plain, into, at);
  }
}
