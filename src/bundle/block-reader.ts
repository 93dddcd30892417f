/** Content in blocks of one size, however it came. */

/** Gathers chunks into blocks; only the last block is shorter. */
export class BlockReader {
  readonly #next: () => Promise<IteratorResult<Buffer>>;
  readonly #blockBytes: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #sourceEnded = false;

  /** @param next gives the next chunk */
  constructor(next: () => Promise<IteratorResult<Buffer>>, blockBytes: number) {
    this.#next = next;
    this.#blockBytes = blockBytes;
  }

  /** True when no bytes are left; known as soon as the last block was given out. */
  get ended(): boolean {
    return this.#sourceEnded && this.#waitingBytes === 0;
  }

  /** The next block; empty when there is none. */
  async block(): Promise<Buffer> {
    // One byte more than a block tells that this block is not the last.
    while (!this.#sourceEnded && this.#waitingBytes <= this.#blockBytes) {
      const chunk = await this.#next();
      if (chunk.done === true) this.#sourceEnded = true;
      else if (chunk.value.length > 0) {
        this.#waiting.push(chunk.value);
        this.#waitingBytes += chunk.value.length;
      }
    }
    return this.#cut(Math.min(this.#waitingBytes, this.#blockBytes));
  }

  #cut(bytes: number): Buffer {
    const pieces: Buffer[] = [];
    let used = 0;
    for (let missing = bytes; missing > 0; ) {
      const chunk = this.#waiting[used];
      if (chunk === undefined) throw new Error('fewer bytes wait than were counted');
      const piece = chunk.subarray(0, missing);
      pieces.push(piece);
      missing -= piece.length;
      if (piece.length < chunk.length) this.#waiting[used] = chunk.subarray(piece.length);
      else used++;
    }
    this.#waiting.splice(0, used);
    this.#waitingBytes -= bytes;
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, bytes);
  }
}
