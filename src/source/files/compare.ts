/** How a live tree differs from the entries of a bundle: one pass over both, which come in the same order. */
import { lstat } from 'node:fs/promises';
import { HoldfastError } from '../../errors.ts';
import type { TreeDifference, TreeEntry } from '../file-trees.ts';
import { joinPath } from './confine.ts';
import { fsPath, printable } from './name-bytes.ts';
import { requireSafeRelativePath } from './relative-path.ts';
import type { Selection } from './select.ts';
import { compareInTreeOrder } from './tree-order.ts';

type Change = TreeDifference['examples'][number]['change'];

const EXAMPLES = 10;
/**
 * Node.js sets times as floating-point seconds: a restored file is up to 238 ns older than it was. Closer than
 * this is the same time.
 */
const SAME_TIME_NS = 1_000n;

function isSame(live: TreeEntry, kept: TreeEntry): boolean {
  const apart = BigInt(live.mtimeNs) - BigInt(kept.mtimeNs);
  if (live.mode !== kept.mode || apart >= SAME_TIME_NS || apart <= -SAME_TIME_NS) return false;
  if (live.kind === 'FILE') return kept.kind === 'FILE' && live.sizeBytes === kept.sizeBytes;
  if (live.kind === 'SYMLINK') return kept.kind === 'SYMLINK' && live.target === kept.target;
  return kept.kind === 'DIRECTORY';
}

/** Counts changes and keeps the first few of each kind. */
class Tally {
  readonly counts: Record<Change, number> = { ADDED: 0, CHANGED: 0, REMOVED: 0 };
  readonly #first: Record<Change, string[]> = { ADDED: [], CHANGED: [], REMOVED: [] };

  add(change: Change, path: string): void {
    this.counts[change] += 1;
    if (this.#first[change].length < EXAMPLES) this.#first[change].push(path);
  }

  /** At most {@link EXAMPLES}, with room for each kind that occurred. */
  examples(): TreeDifference['examples'] {
    const examples: { path: string; change: Change }[] = [];
    for (let index = 0; index < EXAMPLES; index++) {
      for (const change of ['ADDED', 'CHANGED', 'REMOVED'] as const) {
        const path = this.#first[change][index];
        if (path !== undefined && examples.length < EXAMPLES) examples.push({ path, change });
      }
    }
    return examples;
  }
}

/** Passes entries on, as long as they really are in the order of a walk. */
async function* inOrder(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry, undefined> {
  let last: string | undefined;
  for await (const entry of entries) {
    requireSafeRelativePath(entry.path);
    if (last !== undefined && compareInTreeOrder(last, entry.path) >= 0) {
      throw new HoldfastError(
        'INVALID_MANIFEST',
        `The bundle lists "${printable(entry.path)}" out of order or twice.`,
        { hint: 'The bundle is damaged or was altered. Use another one.' },
      );
    }
    last = entry.path;
    yield entry;
  }
}

/** What stands at one path, here and in the bundle; at least one of the two. */
type Pair =
  | { readonly live: TreeEntry; readonly kept: TreeEntry | undefined }
  | { readonly live: undefined; readonly kept: TreeEntry };

/** Merges two streams of one order by path. */
async function* pairUp(
  live: AsyncIterable<TreeEntry>,
  kept: AsyncGenerator<TreeEntry, undefined>,
): AsyncGenerator<Pair> {
  const liveOnes = live[Symbol.asyncIterator]();
  try {
    let here = await liveOnes.next();
    let there = await kept.next();
    while (!here.done || !there.done) {
      if (there.done || (!here.done && compareInTreeOrder(here.value.path, there.value.path) < 0)) {
        yield { live: here.value, kept: undefined };
        here = await liveOnes.next();
      } else if (here.done || here.value.path !== there.value.path) {
        yield { live: undefined, kept: there.value };
        there = await kept.next();
      } else {
        yield { live: here.value, kept: there.value };
        here = await liveOnes.next();
        there = await kept.next();
      }
    }
  } finally {
    await Promise.allSettled([liveOnes.return?.(), kept.return(undefined)]);
  }
}

/**
 * Compares what is live with what a bundle keeps. `root` is where the tree really is.
 *
 * A kept path that the globs now leave out is no part of the walk; it is looked up by itself, so that it counts
 * as CHANGED when something stands there and not as ADDED.
 * @throws HoldfastError INVALID_MANIFEST when `kept` is out of order, UNSAFE_PATH for a path that leaves the tree.
 */
export async function compareTrees(
  root: string,
  live: AsyncIterable<TreeEntry>,
  kept: AsyncIterable<TreeEntry>,
  selection: Selection,
): Promise<TreeDifference> {
  const tally = new Tally();
  let unchanged = 0;
  for await (const pair of pairUp(live, inOrder(kept))) {
    if (pair.live === undefined) {
      const isThere = await isLeftOutButThere(root, pair.kept, selection);
      tally.add(isThere ? 'CHANGED' : 'ADDED', pair.kept.path);
    } else if (pair.kept === undefined) tally.add('REMOVED', pair.live.path);
    else if (isSame(pair.live, pair.kept)) unchanged += 1;
    else tally.add('CHANGED', pair.live.path);
  }
  const { ADDED: added, CHANGED: changed, REMOVED: removed } = tally.counts;
  return { added, changed, removed, unchanged, examples: tally.examples() };
}

async function isLeftOutButThere(root: string, kept: TreeEntry, selection: Selection): Promise<boolean> {
  if (kept.kind === 'DIRECTORY' ? selection.enters(kept.path) : selection.takes(kept.path)) return false;
  const stat = await lstat(fsPath(joinPath(root, kept.path))).catch(() => undefined);
  return stat !== undefined;
}
