/** Between a producer that cannot wait (a socket) and a consumer that takes its time. */
export class EventQueue<T extends object> {
  readonly #supersedes: (newer: T, older: T) => boolean;
  readonly #waiting: T[] = [];
  #end: { readonly error: unknown } | 'completed' | undefined;
  #wake: (() => void) | undefined;

  /** `supersedes` says whether a value may take the place of the one before it that nobody has taken yet. */
  constructor(supersedes: (newer: T, older: T) => boolean) {
    this.#supersedes = supersedes;
  }

  push(value: T): void {
    const newest = this.#waiting.at(-1);
    if (newest !== undefined && this.#supersedes(value, newest)) this.#waiting.pop();
    this.#waiting.push(value);
    this.#wake?.();
  }

  /** Nothing follows; what waits is still delivered. */
  complete(): void {
    this.#end ??= 'completed';
    this.#wake?.();
  }

  /** Nothing follows; what waits is still delivered, then the error is thrown. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** Everything pushed, in order, until the end. For one consumer. */
  async *values(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const value = this.#waiting.shift();
      if (value !== undefined) yield value;
      else if (this.#end === 'completed') return;
      else if (this.#end !== undefined) throw this.#end.error;
      else await this.#arrival();
    }
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
