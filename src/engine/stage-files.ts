/** Writes the trees and the env file of a bundle beside their targets, complete and synced, ready to be swapped. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { EntryRecord } from '../bundle/manifest.ts';
import type { SwapPlan, TreeStage } from '../source/file-trees.ts';
import type { EngineParts } from './parts.ts';
import type { TreeTarget } from './plan-trees.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { isPathEntry, toTreeEntry } from './tree-entries.ts';

/** Files that wait beside their targets. */
export interface StagedFiles {
  readonly swaps: readonly SwapPlan[];
  readonly trees: { area: 'files' | 'config'; name: string; files: number }[];
  /** Removes them. Idempotent; never throws. */
  abort(): Promise<void>;
}

/** What is to be staged. */
export interface StagingOrder {
  readonly reader: BundleReader;
  readonly trees: readonly TreeTarget[];
  /** Where the env file goes; null when it is not restored. */
  readonly envFile: string | null;
  readonly restoreId: string;
}

/** Stages everything, or nothing when it fails. */
export async function stageFiles(
  parts: EngineParts,
  order: StagingOrder,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<StagedFiles> {
  const stages = new Map<string, { stage: TreeStage; files: number }>();
  const swaps: SwapPlan[] = [];
  const abort = async (): Promise<void> => {
    for (const { stage } of stages.values()) await stage.abort();
    for (const plan of swaps) {
      await parts.trees.swapBack(plan).catch((error: unknown) => {
        // The failure that led here is the one to tell.
        parts.log.warn({ err: error, target: plan.target }, 'what was staged could not be removed');
      });
    }
  };
  try {
    for (const { bundled, target } of order.trees) {
      const stage = await parts.trees.stageTree(target, order.restoreId, signal);
      stages.set(`${bundled.area}/${bundled.name}`, { stage, files: 0 });
    }
    for await (const entry of order.reader.entries(signal)) {
      if (!isPathEntry(entry)) continue;
      if (entry.area === 'env') {
        if (order.envFile === null || entry.kind !== 'FILE') continue;
        const content = order.reader.readFile(entry, signal);
        swaps.push(await parts.trees.stageFile(order.envFile, entry.mode, content, order.restoreId, signal));
        continue;
      }
      const staged = stages.get(`${entry.area}/${entry.tree}`);
      if (staged === undefined) continue;
      meter.item(`${entry.tree}/${entry.path}`);
      await staged.stage.put(toTreeEntry(entry), contentOf(order.reader, entry, meter, signal), signal);
      if (entry.kind === 'FILE') staged.files += 1;
    }
    for (const { stage } of stages.values()) swaps.push(await stage.finish(signal));
  } catch (error) {
    await abort();
    throw error;
  }
  const trees = order.trees.map(({ bundled }) => ({
    area: bundled.area,
    name: bundled.name,
    files: stages.get(`${bundled.area}/${bundled.name}`)?.files ?? 0,
  }));
  return { swaps, trees, abort };
}

function contentOf(
  reader: BundleReader,
  entry: EntryRecord,
  meter: ProgressMeter,
  signal: AbortSignal,
): AsyncIterable<Buffer> | undefined {
  if (entry.kind !== 'FILE') return undefined;
  return (async function* () {
    for await (const chunk of reader.readFile(entry, signal)) {
      meter.add({ bytes: chunk.length });
      yield chunk;
    }
    meter.add({ files: 1 });
  })();
}
