/** From the figures of all rounds to the tables of a comparison. Pure. */
import type { Table } from './report.ts';
import type { Comparison, Figures } from './work.ts';

/** The figures of each work, one for each round, in the order in which they first came. */
export type Measured = ReadonlyMap<string, readonly Figures[]>;

/** The median of a work. */
export interface Median extends Figures {
  readonly fastest: number;
  readonly slowest: number;
}

/** A comparison with its outcome. */
export interface Compared extends Comparison {
  /** Of the medians; below 1 the service is faster. */
  readonly ratio: number;
  /** Undefined without a goal. */
  readonly met?: boolean;
}

/** What the memory of the service may reach, MB, whatever it does. */
export const MEMORY_GOAL_MIB = 200;

/** Medians of every work by its name. The peak of memory is the highest of all rounds. */
export function mediansOf(measured: Measured): Map<string, Median> {
  return new Map(
    [...measured].map(([name, figures]) => {
      const seconds = figures.map((each) => each.seconds);
      const peaks = figures.flatMap(({ peakMiB }) => (peakMiB === undefined ? [] : [peakMiB]));
      const sizes = figures.flatMap(({ sizeMiB }) => (sizeMiB === undefined ? [] : [sizeMiB]));
      return [
        name,
        {
          seconds: median(seconds),
          fastest: Math.min(...seconds),
          slowest: Math.max(...seconds),
          cpuSeconds: median(figures.map((each) => each.cpuSeconds)),
          ...(peaks.length > 0 && { peakMiB: Math.max(...peaks) }),
          ...(sizes.length > 0 && { sizeMiB: median(sizes) }),
        },
      ];
    }),
  );
}

/** The comparisons of which both sides were measured. */
export function compareMedians(
  medians: ReadonlyMap<string, Median>,
  comparisons: readonly Comparison[],
): Compared[] {
  return comparisons.flatMap((comparison) => {
    const [own, peer] = [medians.get(comparison.own), medians.get(comparison.peer)];
    if (own === undefined || peer === undefined) return [];
    const ratio = own.seconds / peer.seconds;
    const { goal } = comparison;
    return [{ ...comparison, ratio, ...(goal !== undefined && { met: ratio <= goal }) }];
  });
}

/** Every work with its medians. */
export function worksTable(medians: ReadonlyMap<string, Median>): Table {
  return {
    head: ['work', 'seconds', 'fastest', 'slowest', 'CPU s', 'peak MB', 'written MB'],
    rows: [...medians].map(([name, { seconds, fastest, slowest, cpuSeconds, peakMiB, sizeMiB }]) => [
      name,
      ...[seconds, fastest, slowest, cpuSeconds].map((value) => value.toFixed(2)),
      ...[peakMiB, sizeMiB].map((value) => value?.toFixed(0) ?? ''),
    ]),
  };
}

/** Every comparison with its goal. */
export function goalsTable(compared: readonly Compared[], medians: ReadonlyMap<string, Median>): Table {
  const pair = (own: string, peer: string, of: 'seconds' | 'cpuSeconds'): string =>
    [own, peer].map((name) => medians.get(name)?.[of].toFixed(1) ?? '').join(' : ');
  return {
    head: ['Holdfast', 'against', 'seconds', 'CPU seconds', 'ratio', 'goal', ''],
    rows: compared.map(({ own, peer, ratio, goal, met }) => [
      own,
      peer,
      pair(own, peer, 'seconds'),
      pair(own, peer, 'cpuSeconds'),
      ratio.toFixed(2),
      goal?.toFixed(2) ?? '',
      verdict(met),
    ]),
  };
}

/** A goal's outcome in words; empty without a goal. */
export function verdict(met: boolean | undefined): string {
  if (met === undefined) return '';
  return met ? 'met' : '**not met**';
}

/** The middle one, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low = 0, high = low] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return (low + high) / 2;
}
