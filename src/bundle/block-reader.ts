/**
 * Content in blocks of one size, however it came. Blocks are used again: a fresh megabyte for each would have the
 * garbage collector run all the time.
 */

/** Free blocks kept for later; more than are ever under way at once would lie idle. */
const MOST_FREE = 8;

/** Hands out blocks, and takes them back. */
export class BlockPool {
  readonly blockBytes: number;
  readonly #free: Buffer[] = [];

  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** Takes back a block, or a piece from its start, that nobody looks at any more. */
  giveBack(piece: Buffer): void {
    const whole = piece.byteOffset === 0 && piece.buffer.byteLength === this.blockBytes;
    if (whole && this.#free.length < MOST_FREE) this.#free.push(Buffer.from(piece.buffer));
  }
}

/** Gathers chunks into blocks; only the last block is shorter. A chunk is copied before the next is asked for. */
export class BlockReader {
  readonly #next: () => Promise<IteratorResult<Buffer>>;
  readonly #pool: BlockPool;
  #rest: Buffer = Buffer.alloc(0);
  #sourceEnded = false;

  /** @param next gives the next chunk */
  constructor(next: () => Promise<IteratorResult<Buffer>>, pool: BlockPool) {
    this.#next = next;
    this.#pool = pool;
  }

  /** True when no bytes are left; known as soon as the last block was given out. */
  get ended(): boolean {
    return this.#sourceEnded && this.#rest.length === 0;
  }

  /** The next block, out of the pool; empty when there is none. */
  async block(): Promise<Buffer> {
    const block = this.#pool.take();
    let length = 0;
    while (length < block.length && (await this.#fill())) {
      const copied = this.#rest.copy(block, length);
      this.#rest = this.#rest.subarray(copied);
      length += copied;
    }
    // Looks one chunk ahead, to tell whether this block is the last.
    await this.#fill();
    return block.subarray(0, length);
  }

  /** Whether bytes wait, after asking for more when none did. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#sourceEnded) {
      const chunk = await this.#next();
      if (chunk.done === true) this.#sourceEnded = true;
      else this.#rest = chunk.value;
    }
    return this.#rest.length > 0;
  }
}
