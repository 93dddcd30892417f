/** Writes trees of files into a bundle, as they are found on one walk. */
import type { BundleFile, BundleWriter } from '../bundle/bundle.ts';
import type { ManifestTree } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type { FileTree, SkippedEntry } from '../source/file-trees.ts';
import type { EngineParts } from './parts.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RunningRecord } from './running-record.ts';
import type { BundleContent, SelectedTree } from './selection.ts';

/**
 * Writes the trees that `content` asks for, and returns them as the manifest tells them.
 * @throws HoldfastError SOURCE_UNREACHABLE for a file that cannot be read when the backup has to be complete
 */
export async function writeTrees(
  parts: EngineParts,
  record: RunningRecord,
  { trees, complete }: BundleContent,
  writer: BundleWriter,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<ManifestTree[]> {
  meter.expect({ bytes: await bytesIn(parts, trees, signal) });
  const writing: TreeWriting = { parts, record, complete, writer, meter, signal };
  const written: ManifestTree[] = [];
  for (const selected of trees) written.push(await writeTree(writing, selected));
  return written;
}

/** What all trees of one backup are written with. */
interface TreeWriting {
  readonly parts: EngineParts;
  readonly record: RunningRecord;
  readonly complete: boolean;
  readonly writer: BundleWriter;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
}

async function writeTree(writing: TreeWriting, { area, tree }: SelectedTree): Promise<ManifestTree> {
  const { parts, record, complete, writer, meter, signal } = writing;
  const skipped = (entry: SkippedEntry): void => {
    if (complete && entry.unread === true) throw notKept(tree, entry);
    record.warn(`${tree.name}/${entry.path} was left out: ${entry.reason}`);
  };
  let fileCount = 0;
  let bytes = 0;
  for await (const entry of parts.trees.walk(tree, skipped, signal)) {
    meter.item(`${tree.name}/${entry.path}`);
    const base = { area, tree: tree.name, path: entry.path, mode: entry.mode, mtimeNs: entry.mtimeNs };
    if (entry.kind === 'DIRECTORY') {
      await writer.addFile({ ...base, kind: 'DIRECTORY' }, undefined, meter.add, signal);
    } else if (entry.kind === 'SYMLINK') {
      const link: BundleFile = { ...base, kind: 'SYMLINK', target: entry.target };
      await writer.addFile(link, undefined, meter.add, signal);
    } else {
      const size = await writeFile(writing, tree, { ...base, kind: 'FILE' }, skipped);
      if (size === undefined) continue;
      fileCount += 1;
      bytes += size;
    }
  }
  const { include, exclude } = tree;
  return { area, name: tree.name, include: [...include], exclude: [...exclude], fileCount, bytes };
}

/** Its size; undefined when it was left out. */
async function writeFile(
  { parts, record, writer, meter, signal }: TreeWriting,
  tree: FileTree,
  file: BundleFile,
  skipped: (entry: SkippedEntry) => void,
): Promise<number | undefined> {
  const opened = await parts.trees.open(tree, file.path, skipped, signal);
  if (opened === undefined) return undefined;
  const { sizeBytes } = await writer.addFile(file, opened.content, meter.add, signal);
  const changed = await opened.changedWhileRead();
  if (changed !== undefined) record.warn(`${tree.name}/${file.path} changed while it was read: ${changed}`);
  return sizeBytes;
}

/** A backup that has to be complete may pass over what vanished or holds nothing, and nothing else. */
function notKept(tree: FileTree, { path, reason }: SkippedEntry): HoldfastError {
  return new HoldfastError('SOURCE_UNREACHABLE', `${tree.name}/${path} cannot be kept: ${reason}.`, {
    hint: 'Give the user that runs Holdfast permission to read it.',
  });
}

/** A first walk, for the fraction alone; what it cannot see the second one will tell. */
async function bytesIn(
  parts: EngineParts,
  trees: readonly SelectedTree[],
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  for (const { tree } of trees) {
    for await (const entry of parts.trees.walk(tree, () => undefined, signal)) {
      if (entry.kind === 'FILE') bytes += entry.sizeBytes;
    }
  }
  return bytes;
}
