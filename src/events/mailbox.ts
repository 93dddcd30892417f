/**
 * What waits for one subscriber. State events stay in order; of the progress of a phase only the newest tick
 * waits. It never holds more than its limit: beyond that it forgets everything and says so, since state events
 * can be read again from the catalog.
 */
import type { RecordEvent } from './record-event.ts';

/** Events that may wait for one subscriber. */
const DEFAULT_LIMIT = 1_000;

/** One per subscriber. */
export class Mailbox {
  /** In order of delivery. State events are keyed by a number, ticks by their record and phase. */
  readonly #waiting = new Map<number | string, RecordEvent>();
  readonly #limit: number;
  #nextKey = 0;
  #overflowed = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(limit: number = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many events wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** True once {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Puts an event in; never waits, never throws. */
  put(event: RecordEvent): void {
    if (this.#closed || this.#overflowed) return;
    if (event.type === 'PHASE_PROGRESSED') {
      const key = `${event.record.id} ${event.phase.index}`;
      // Taken out first, so that it stands behind the state events it follows.
      this.#waiting.delete(key);
      this.#waiting.set(key, event);
    } else {
      this.#waiting.set(this.#nextKey++, event);
    }
    if (this.#waiting.size > this.#limit) {
      this.#waiting.clear();
      this.#overflowed = true;
    }
    this.#wake?.();
  }

  /** Takes the next event out; undefined when none waits. */
  take(): RecordEvent | undefined {
    for (const [key, event] of this.#waiting) {
      this.#waiting.delete(key);
      return event;
    }
    return undefined;
  }

  /** True, once, after events were forgotten: read again from the catalog, then go on taking. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  /** Resolves when there is something to take or to read again, or when the mailbox is closed. */
  async arrival(): Promise<void> {
    if (this.#closed || this.#overflowed || this.#waiting.size > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }

  /** Forgets everything, takes nothing in any more and wakes who waits. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#wake?.();
  }
}
