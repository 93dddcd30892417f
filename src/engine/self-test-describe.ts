/** What a canary is, before it is destroyed and after it was restored. */
import { createHash } from 'node:crypto';
import { ContentDigest } from '../bundle/content-digest.ts';
import type { FileTree, FileTrees } from '../source/file-trees.ts';
import type { Database } from '../source/source.ts';
import type { CanaryPlace } from './self-test-canary.ts';
import { tableLabel } from './table-order.ts';

/** Everything about a canary that has to come back, in words that can be compared; by what it is of. */
export type CanaryDescription = ReadonlyMap<string, string>;

/** Reads everything of the canary: rows, counters and structure; names, kinds, modes, times and content of its files. */
export async function describeCanary(
  { tree, trees }: CanaryPlace,
  database: Database,
  signal: AbortSignal,
): Promise<CanaryDescription> {
  const described = new Map<string, string>();
  const snapshot = await database.openSnapshot(signal);
  try {
    const { tables } = snapshot.description;
    for (const table of tables) {
      const digest = new ContentDigest();
      for await (const chunk of snapshot.readRows(table, signal)) digest.update(chunk);
      described.set(
        `the rows of ${tableLabel(table)}`,
        `${digest.rows} with digest ${digest.totals().digest}`,
      );
    }
    for (const { name, lastValue } of await snapshot.readSequences(tables, signal)) {
      described.set(`the counter of ${name}`, lastValue);
    }
    const { before, after } = await snapshot.readSchema(signal);
    for (const { object, sql } of [...before, ...after]) described.set(`the structure of ${object}`, sql);
  } finally {
    await snapshot.close();
  }
  const skipped = ({ path, reason }: { readonly path: string; readonly reason: string }): void => {
    described.set(`the file ${path}`, `cannot be read: ${reason}`);
  };
  for await (const entry of trees.walk(tree, skipped, signal)) {
    const { path, ...attributes } = entry;
    const content = entry.kind === 'FILE' ? await hashOf(trees, tree, path, skipped, signal) : '';
    if (content !== undefined) described.set(`the file ${path}`, `${JSON.stringify(attributes)} ${content}`);
  }
  return described;
}

async function hashOf(
  trees: FileTrees,
  tree: FileTree,
  path: string,
  skipped: (entry: { readonly path: string; readonly reason: string }) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = await trees.open(tree, path, skipped, signal);
  if (file === undefined) return undefined;
  const hash = createHash('sha256');
  // A Readable without encoding gives buffers.
  for await (const chunk of file.content) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What of a canary did not come back as it was; empty when all did. */
export function compareCanaries(before: CanaryDescription, after: CanaryDescription): string[] {
  const lost = [...before].filter(([what, value]) => after.get(what) !== value).map(([what]) => what);
  const added = [...after.keys()].filter((what) => !before.has(what));
  return [...lost, ...added];
}
