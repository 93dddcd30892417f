/** The files of a drill: written by the code that restores into a scratch directory, and read back from there. */
import { createHash } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import type { ManifestTree } from '../bundle/manifest.ts';
import type { FileTree, FileTrees, SwapPlan } from '../source/file-trees.ts';
import { scratchDirectory } from './drill-ground.ts';
import type { EngineParts } from './parts.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RunningRecord } from './running-record.ts';
import { type StagedFiles, stageFiles } from './stage-files.ts';
import { isPathEntry, type PathEntry, treeEntries } from './tree-entries.ts';

/** Files that a drill has written; they are looked at where they were staged. */
export interface StagedDrill {
  readonly trees: FileTrees;
  readonly bundled: readonly { readonly tree: ManifestTree; readonly staged: FileTree }[];
  /** The directory that the env file is in, and its name there; undefined when the bundle holds none. */
  readonly env: { readonly tree: FileTree; readonly name: string } | undefined;
  abort(): Promise<void>;
}

/** More files than this that differ are not named. */
const NAMED = 20;

function everythingIn(name: string, path: string): FileTree {
  return { name, path, include: [], exclude: [] };
}

function treesDirectory(parts: EngineParts, recordId: string): string {
  return join(scratchDirectory(parts, recordId), 'files');
}

/** Phase STAGE_FILES: nothing when the bundle holds no files. */
export async function stageDrillFiles(
  parts: EngineParts,
  record: RunningRecord,
  reader: BundleReader,
): Promise<StagedDrill | undefined> {
  const { manifest } = reader;
  if (manifest.trees.length === 0 && !manifest.envFile) return undefined;
  const root = treesDirectory(parts, record.row.id);
  // Numbered: names of trees come from the bundle.
  const targets = manifest.trees.map((bundled, number) => ({
    bundled,
    target: everythingIn(bundled.name, join(root, String(number))),
  }));
  await mkdir(root, { recursive: true });
  for (const { target } of targets) await mkdir(target.path);
  const trees = parts.openScratchTrees(root);
  const envFile = manifest.envFile ? join(root, 'env') : null;
  let staged: StagedFiles | undefined;
  try {
    await record.phase('STAGE_FILES', async (meter) => {
      meter.expect({ bytes: manifest.trees.reduce((sum, tree) => sum + tree.bytes, 0) });
      const order = { reader, trees: targets, envFile, restoreId: record.row.id };
      staged = await stageFiles({ ...parts, trees }, order, meter, record.signal);
    });
  } catch (error) {
    await staged?.abort();
    throw error;
  }
  const files = staged;
  if (files === undefined) throw new Error('files were staged and are not there');
  return { trees, ...placesOf(files.swaps, targets, envFile), abort: () => files.abort() };
}

function placesOf(
  swaps: readonly SwapPlan[],
  targets: readonly { readonly bundled: ManifestTree; readonly target: FileTree }[],
  envFile: string | null,
): Pick<StagedDrill, 'bundled' | 'env'> {
  const stagedFor = (name: string): string | undefined =>
    swaps.find((swap) => basename(swap.target) === name)?.staged;
  const env = envFile === null ? undefined : stagedFor(basename(envFile));
  return {
    bundled: targets.flatMap(({ bundled, target }) => {
      const path = stagedFor(basename(target.path));
      return path === undefined ? [] : [{ tree: bundled, staged: everythingIn(bundled.name, path) }];
    }),
    env: env === undefined ? undefined : { tree: everythingIn('', dirname(env)), name: basename(env) },
  };
}

/** Compares names, kinds, links and sizes of every tree, and the SHA-256 of every file; tells what differs. */
export async function proveFiles(
  record: RunningRecord,
  reader: BundleReader,
  { trees, bundled, env }: StagedDrill,
  meter: ProgressMeter,
  differences: string[],
): Promise<void> {
  const { signal } = record;
  const differing: string[] = [];
  for (const { tree, staged } of bundled) {
    const found = await trees.compare(staged, treeEntries(reader.entries(signal), tree), signal);
    for (const { path, change } of found.examples) differing.push(`${tree.name}/${path} ${change}`);
  }
  const placeOf = new Map(bundled.map(({ tree, staged }) => [`${tree.area}/${tree.name}`, staged]));
  for await (const entry of reader.entries(signal)) {
    if (!isPathEntry(entry) || entry.kind !== 'FILE') continue;
    const isEnv = entry.area === 'env';
    const place = isEnv ? env?.tree : placeOf.get(`${entry.area}/${entry.tree}`);
    meter.item(`${entry.tree}/${entry.path}`);
    const path = isEnv ? (env?.name ?? '') : entry.path;
    const same = place !== undefined && (await isSame(trees, place, path, entry, meter, signal));
    if (!same && differing.length <= NAMED) differing.push(entry.entry);
  }
  if (differing.length > 0) {
    differences.push(`Files that are not as in the bundle: ${differing.slice(0, NAMED).join(', ')}.`);
  }
}

async function isSame(
  trees: FileTrees,
  place: FileTree,
  path: string,
  entry: PathEntry & { readonly kind: 'FILE' },
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<boolean> {
  const file = await trees.open(place, path, () => undefined, signal);
  if (file === undefined) return false;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of file.content) {
    // A Readable without encoding gives buffers.
    const piece = chunk as Buffer;
    hash.update(piece);
    bytes += piece.length;
    meter.add({ bytes: piece.length });
  }
  meter.add({ files: 1 });
  return bytes === entry.size && hash.digest('hex') === entry.sha256;
}

/** Removes what a drill had staged, read-only directories too. Idempotent. */
export async function sweepDrillFiles(parts: EngineParts, recordId: string): Promise<void> {
  const root = treesDirectory(parts, recordId);
  const names = await readdir(root).catch((error: unknown): string[] => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return;
  const trees = parts.openScratchTrees(root);
  for (const name of [...names.filter((candidate) => /^\d+$/.test(candidate)), 'env']) {
    await trees.sweep(join(root, name), recordId);
  }
}
