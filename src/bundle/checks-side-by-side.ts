/** Entries checked side by side, as many as there are cores for it, and what is found of them told in order. */
import { availableParallelism } from 'node:os';
import { HoldfastError, throwIfAborted } from '../errors.ts';

/** One core is never enough to unpack at the speed of a disk; each entry under way costs a few chunks of memory. */
const AT_ONCE = Math.min(4, Math.max(2, availableParallelism()));

/** The check of one entry, not begun yet. */
export interface EntryToCheck {
  readonly entry: string;
  check(): Promise<void>;
}

/** Told of an entry whose content differs from its record. */
export type OnDamage = (entry: string, error: HoldfastError) => void;

/**
 * Runs checks. The first failure ends all of them, but for damaged content when somebody listens to that.
 * @param checks gives them one by one; its signal is aborted when no more are wanted
 */
export async function checkSideBySide(
  checks: (signal: AbortSignal) => AsyncIterable<EntryToCheck>,
  onDamage: OnDamage | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const running: { readonly entry: string; readonly done: Promise<void> }[] = [];
  const settleFirst = async (): Promise<void> => {
    const first = running.shift();
    try {
      await first?.done;
    } catch (error) {
      const damage = error instanceof HoldfastError && error.code === 'INVALID_CHECKSUM';
      if (first === undefined || onDamage === undefined || !damage) throw error;
      onDamage(first.entry, error);
    }
  };
  try {
    for await (const { entry, check } of checks(AbortSignal.any([signal, ended.signal]))) {
      throwIfAborted(signal);
      const done = check();
      // Looked at when it is its turn.
      done.catch(() => {});
      running.push({ entry, done });
      if (running.length >= AT_ONCE) await settleFirst();
    }
    while (running.length > 0) await settleFirst();
  } finally {
    ended.abort();
    await Promise.allSettled(running.map(({ done }) => done));
  }
}
