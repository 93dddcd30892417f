/** File trees of this host: the implementation of {@link FileTrees}, put together from its parts. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { HoldfastError } from '../../errors.ts';
import type { FileTree, FileTrees, TreeEntry } from '../file-trees.ts';
import { compareTrees } from './compare.ts';
import { confineTo, type Place, parentOf } from './confine.ts';
import { fsPath, printable } from './name-bytes.ts';
import { openFile } from './read-file.ts';
import { selectBy } from './select.ts';
import { beginStage, lookAt, removeStage, swapPlanFor } from './stage.ts';
import { stageSingleFile } from './stage-file.ts';
import { swapsWithin } from './swap.ts';
import { sourceError } from './system-errors.ts';
import { walkTree } from './walk.ts';

/** What file trees of a host need to know. */
export interface FileTreesOptions {
  /** Absolute directories; nothing outside of them is read or written. None allows nothing. */
  readonly roots: readonly string[];
  /** Absolute directories of Holdfast itself; a path that lies in one or holds one is UNSAFE_PATH. None if absent. */
  readonly forbidden?: readonly string[];
}

type Expected = Parameters<FileTrees['check']>[1];

function missing(path: string): HoldfastError {
  return new HoldfastError('SOURCE_UNREACHABLE', `"${printable(path)}" does not exist.`, {
    hint: 'Check that this path exists on the host Holdfast runs on, and is the one you mean.',
  });
}

function requireKind(
  path: string,
  is: { isFile(): boolean; isDirectory(): boolean },
  expects: Expected,
): void {
  if (expects === 'DIRECTORY' ? is.isDirectory() : is.isFile()) return;
  throw new HoldfastError(
    'INVALID_INPUT',
    `"${printable(path)}" is not a ${expects === 'DIRECTORY' ? 'directory' : 'file'}.`,
    { hint: 'Check that this is the path you mean.' },
  );
}

/** Checks what stands, or for a new file may come to stand, at a place inside the roots. */
async function checkPlace(path: string, place: Place, expects: Expected): Promise<void> {
  if (place.missing > (expects === 'NEW_FILE' ? 1 : 0)) throw missing(path);
  if (place.missing === 0) {
    requireKind(path, await stat(fsPath(place.real)), expects);
  } else if (!(await stat(fsPath(parentOf(place.real)))).isDirectory()) {
    throw missing(path);
  }
  if (expects === 'DIRECTORY') await access(fsPath(place.real), constants.R_OK | constants.X_OK);
  if (expects === 'FILE') await access(fsPath(place.real), constants.R_OK);
}

async function* nothing(): AsyncGenerator<TreeEntry> {}

/**
 * File trees inside `roots` and apart from `forbidden`.
 * @throws HoldfastError INVALID_INPUT for a directory that is not an absolute path.
 */
export function openFileTrees({ roots, forbidden = [] }: FileTreesOptions): FileTrees {
  const confinement = confineTo(roots, forbidden);
  /**
   * Where the trees being walked really are, so that a backup does not resolve the way to the tree for each of
   * its files. Opening a file checks by itself that it is at this place.
   */
  const realRoots = new WeakMap<FileTree, string>();

  async function locate(tree: FileTree): Promise<string> {
    const place = await confinement.resolve(tree.path);
    if (place.missing > 0) throw missing(tree.path);
    realRoots.set(tree, place.real);
    return place.real;
  }

  return {
    async check(path, expects) {
      const place = await confinement.resolve(path);
      try {
        await checkPlace(path, place, expects);
      } catch (error) {
        throw sourceError(error, 'looking at', path);
      }
    },
    checkGlobs({ include, exclude }) {
      selectBy(include, exclude);
    },
    async realPath(path) {
      return (await confinement.resolve(path)).real;
    },
    async *walk(tree, onSkipped, signal) {
      const selection = selectBy(tree.include, tree.exclude);
      yield* walkTree(tree, await locate(tree), selection, onSkipped, signal);
    },
    async open(tree, path, onSkipped, signal) {
      const root = realRoots.get(tree) ?? (await locate(tree));
      return openFile(root, path, `${tree.path}/${path}`, onSkipped, signal);
    },
    async compare(tree, entries, signal) {
      const selection = selectBy(tree.include, tree.exclude);
      const place = await confinement.resolve(tree.path);
      // What a backup could not take in cannot be compared either; it is told when the backup is made.
      const ignore = (): void => {};
      const live = place.missing > 0 ? nothing() : walkTree(tree, place.real, selection, ignore, signal);
      return compareTrees(place.real, live, entries, selection);
    },
    async stageTree(tree, restoreId, signal) {
      const selection = selectBy(tree.include, tree.exclude);
      return beginStage(tree, await confinement.resolve(tree.path), restoreId, selection, signal);
    },
    async stageFile(path, mode, content, restoreId, signal) {
      return stageSingleFile(path, await confinement.resolve(path), mode, content, restoreId, signal);
    },
    ...swapsWithin(confinement),
    async sweep(path, restoreId) {
      const plan = swapPlanFor((await confinement.resolve(path)).real, restoreId);
      try {
        // With the replaced target still there, a swap had begun: that is for its journal to end.
        if ((await lookAt(plan.previous)) === undefined) await removeStage(plan);
      } catch (error) {
        throw sourceError(error, 'removing what was staged beside', path);
      }
    },
  };
}
