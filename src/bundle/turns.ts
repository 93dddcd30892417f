/** Work that may overlap only so far. */

/** Runs work as it comes, a bounded number at once. */
export class Turns {
  readonly #most: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param most at once, at least 1 */
  constructor(most: number) {
    this.#most = most;
  }

  /** Runs `work` when it is its turn; passes on what it gives or throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
