/**
 * Loaded into the service before its own code (`--import`): measures how late its event loop runs, and answers each
 * message of the bench with what it saw since the one before.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late timers were, milliseconds. */
export interface LoopDelay {
  readonly p99: number;
  readonly longest: number;
}

/** Timers are due this often, milliseconds; the figures include it, so it is taken off. */
const RESOLUTION_MS = 10;
const NANOSECONDS = 1e6;

const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();
const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS);

process.on('message', () => {
  const seen: LoopDelay = { p99: late(histogram.percentile(99)), longest: late(histogram.max) };
  histogram.reset();
  process.send?.(seen);
});
// The channel alone shall not keep the service alive.
process.channel?.unref();
