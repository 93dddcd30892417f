/** How long to wait before the next attempt: longer each time, never at the same moment as everybody else. */

/** Milliseconds before the second attempt, at most. */
const FIRST_DELAY = 250;
/** Milliseconds between attempts, at most. */
const LONGEST_DELAY = 10_000;

/** Counts attempts that came to nothing. */
export class BackOff {
  #failures = 0;

  /** How many attempts in a row came to nothing. */
  get failures(): number {
    return this.#failures;
  }

  /** An attempt was worth it. */
  reset(): void {
    this.#failures = 0;
  }

  /** Waits before the next attempt. @throws the signal's reason when it is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const ceiling = Math.min(FIRST_DELAY * 2 ** this.#failures, LONGEST_DELAY);
    this.#failures += 1;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(
        () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
        ceiling * (0.5 + Math.random() / 2),
      );
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
