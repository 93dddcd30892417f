/** Random numbers that are the same on every run (mulberry32), so that two runs of the demo can be compared. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** A whole number of 63 bits: larger than a JavaScript number can hold exactly. */
  bigInteger(): bigint {
    return (BigInt(this.integer(0, 2 ** 31 - 1)) << 32n) | BigInt(this.integer(0, 2 ** 32 - 1));
  }

  pick<T>(from: readonly T[]): T {
    const value = from[this.integer(0, from.length - 1)];
    if (value === undefined) throw new RangeError('There is nothing to pick from.');
    return value;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) bytes[at] = this.integer(0, 255);
    return bytes;
  }

  words(count: number): string {
    return Array.from({ length: count }, () => this.pick(WORDS)).join(' ');
  }
}

const WORDS =
  'read the file and summarise its changes then write tests that fail first before touching any code prefer small steps ask when unsure never guess at secrets keep a log of what was tried résumé naïve 東京 🚀 return a table of results with links to sources retry on timeout stop after three attempts'.split(
    ' ',
  );
