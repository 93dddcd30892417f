/** Counts what a phase does and tells rate, fraction and time to go. */
import type { BundleProgress } from '../bundle/bundle.ts';
import type { ProgressState } from '../catalog/catalog.ts';

/** What is expected, for the fraction; the first of files, bytes, rows that is known and positive counts. */
export interface ProgressTotals {
  readonly rows?: number;
  readonly bytes?: number;
  readonly files?: number;
}

/** The rate is taken over this many milliseconds. */
const RATE_WINDOW_MS = 4000;

/** The counters of one phase. Cheap enough to be called for every chunk. */
export class ProgressMeter {
  #rows = 0;
  #bytes = 0;
  #files = 0;
  #totals: ProgressTotals = {};
  #item: string | null = null;
  #changed = true;
  readonly #now: () => Date;
  readonly #startedAt: number;
  readonly #samples: { at: number; bytes: number }[] = [];

  constructor(now: () => Date) {
    this.#now = now;
    this.#startedAt = now().getTime();
  }

  /** Adds increments. An arrow so that it can be handed on as a callback. */
  readonly add = (progress: BundleProgress): void => {
    this.#rows += progress.rows ?? 0;
    this.#bytes += progress.bytes ?? 0;
    this.#files += progress.files ?? 0;
    this.#changed = true;
  };

  /** Names the table or file being worked on. */
  item(name: string): void {
    this.#item = name;
    this.#changed = true;
  }

  expect(totals: ProgressTotals): void {
    this.#totals = totals;
  }

  /** True once after each change. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** The counters now. `done` puts the fraction to 1. */
  state(done: boolean): ProgressState {
    const at = this.#now().getTime();
    this.#sample(at);
    const fraction = done ? 1 : this.#fraction();
    const elapsed = (at - this.#startedAt) / 1000;
    return {
      rows: this.#rows,
      bytes: this.#bytes,
      files: this.#files,
      fraction,
      bytesPerSecond: done ? Math.round(this.#bytes / Math.max(elapsed, 0.001)) : this.#rate(at),
      etaSeconds:
        done || fraction === null || fraction < 0.01
          ? null
          : Math.round((elapsed * (1 - fraction)) / fraction),
      currentItem: done ? null : this.#item,
    };
  }

  #fraction(): number | null {
    const pairs = [
      [this.#bytes, this.#totals.bytes],
      [this.#rows, this.#totals.rows],
      [this.#files, this.#totals.files],
    ] as const;
    for (const [done, total] of pairs) {
      // Totals are estimates: never claim the end before it is there.
      if (total !== undefined && total > 0) return Math.min(done / total, 0.99);
    }
    return null;
  }

  #sample(at: number): void {
    this.#samples.push({ at, bytes: this.#bytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > RATE_WINDOW_MS)
      this.#samples.shift();
  }

  #rate(at: number): number {
    const oldest = this.#samples[0];
    if (oldest === undefined || at <= oldest.at) return 0;
    return Math.round(((this.#bytes - oldest.bytes) * 1000) / (at - oldest.at));
  }
}
