/**
 * Bytes on their way into a sink, in order, while those to come are still being made: compression runs on several
 * cores, and on the next entry before the last one is written. A bounded number of steps waits at any time.
 */
import type { Writable } from 'node:stream';
import { abortError } from '../errors.ts';

/** Steps that may wait; each holds a block at most, packed and unpacked. */
const MOST_STEPS = 4;

/** Writes what steps give it, one step after the other. After a failure every call fails the same way. */
export class OrderedSink {
  readonly #sink: Writable;
  #offset = 0;
  #last: Promise<void> = Promise.resolve();
  #steps = 0;
  #failure: Error | undefined;
  readonly #onFailure = new Set<(error: Error) => void>();
  #onStepEnd: (() => void) | undefined;

  /** @param sink ended by {@link end}, destroyed by {@link destroy} */
  constructor(sink: Writable) {
    this.#sink = sink;
    // These listeners stay, so that a late error of the sink never ends the process.
    sink.on('error', (error) => this.#fail(error));
    sink.on('close', () => {
      if (!sink.writableFinished)
        this.#fail(sink.errored ?? new Error('the sink of the bundle was closed early'));
    });
  }

  /** Bytes handed over so far; what it is within a step is where the next byte goes. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Queues a step as soon as there is room for it. What it throws becomes the failure.
   * @param step makes and writes bytes, with {@link write}
   */
  async queue(step: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (this.#steps >= MOST_STEPS) {
      await this.#wait(signal, (resolve) => {
        this.#onStepEnd = resolve;
      });
    }
    if (signal.aborted) throw abortError(signal);
    if (this.#failure !== undefined) throw this.#failure;
    this.#steps++;
    this.#last = this.#last.then(async () => {
      try {
        if (this.#failure === undefined) await step();
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      } finally {
        this.#steps--;
        this.#onStepEnd?.();
      }
    });
  }

  /** Hands bytes to the sink, and waits while it has enough. Only to be called within a step. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (bytes.length === 0) return;
    this.#offset += bytes.length;
    if (this.#sink.write(bytes)) return;
    await this.#wait(undefined, (resolve) => this.#sink.once('drain', resolve));
  }

  /** Resolves when every step has run. */
  async idle(signal: AbortSignal): Promise<void> {
    await this.#wait(signal, (resolve) => this.#last.then(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the sink; resolves when it has taken everything. */
  async end(signal: AbortSignal): Promise<void> {
    await this.#wait(signal, (resolve) => this.#sink.end(resolve));
  }

  /** Stops in the middle; steps that wait are not run. */
  destroy(): void {
    this.#sink.destroy();
    this.#fail(new Error('the bundle was given up'));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const tell of this.#onFailure) tell(this.#failure);
  }

  /** Waits for what `start` starts, or for a failure, or for the signal. */
  async #wait(signal: AbortSignal | undefined, start: (resolve: () => void) => void): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal === undefined ? undefined : abortError(signal));
    this.#onFailure.add(reject);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else start(resolve);
    try {
      await promise;
    } finally {
      this.#onFailure.delete(reject);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
