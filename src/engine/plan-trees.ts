/** What a restore would do to the trees of its target. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { ManifestTree } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import type { FileTree } from '../source/file-trees.ts';
import type { Selection, TreePlan } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { selectBundledTrees } from './selection.ts';
import { treeEntries } from './tree-entries.ts';

/** Where a tree of the bundle goes. */
export interface TreeTarget {
  readonly bundled: ManifestTree;
  readonly target: FileTree;
}

/** The trees of a restore. */
export interface PlannedTrees {
  readonly targets: readonly TreeTarget[];
  readonly plans: readonly TreePlan[];
  readonly refusals: readonly string[];
}

/** Compares the selected trees of the bundle with what is there. @throws HoldfastError INVALID_INPUT */
export async function planTrees(
  parts: EngineParts,
  reader: BundleReader,
  target: SourceRow,
  selection: Selection,
  signal: AbortSignal,
): Promise<PlannedTrees> {
  const targets: TreeTarget[] = [];
  const plans: TreePlan[] = [];
  const refusals: string[] = [];
  for (const bundled of selectBundledTrees(reader.manifest, selection)) {
    const tree = targetOf(target, bundled);
    if (tree === undefined) {
      refusals.push(`The source ${target.name} has no tree "${bundled.name}" to restore into.`);
      continue;
    }
    const difference = await parts.trees.compare(tree, treeEntries(reader.entries(signal), bundled), signal);
    targets.push({ bundled, target: tree });
    plans.push({ area: bundled.area, name: bundled.name, target: tree.path, ...difference });
  }
  return { targets, plans, refusals };
}

function targetOf(source: SourceRow, bundled: ManifestTree): FileTree | undefined {
  const trees = bundled.area === 'files' ? source.trees : source.configTrees;
  const tree = trees.find((candidate) => candidate.name === bundled.name);
  // What the bundle left out stays in the target: its globs decide, not today's.
  return tree && { ...tree, include: bundled.include, exclude: bundled.exclude };
}
