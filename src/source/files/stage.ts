/** Writes a replacement of a tree beside the tree it is to replace. */
import { type BigIntStats, constants } from 'node:fs';
import { access, lstat, stat as statOf } from 'node:fs/promises';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../../errors.ts';
import type { FileTree, SwapPlan, TreeEntry, TreeStage } from '../file-trees.ts';
import { carryOver } from './carry-over.ts';
import { joinPath, type Place, parentOf } from './confine.ts';
import { syncDirectory } from './held-directory.ts';
import { mountPointWithin } from './mount-points.ts';
import { fsPath, nameToBytes, printable } from './name-bytes.ts';
import { requireSafeRelativePath } from './relative-path.ts';
import { removeSibling } from './remove-tree.ts';
import type { Selection } from './select.ts';
import { inRole, siblingPath } from './sibling-names.ts';
import { canSetOwner, StageArea } from './stage-area.ts';
import { isMissing, sourceError } from './system-errors.ts';
import { type Owner, writeContent } from './write-file.ts';

const NEW_TREE_MODE = 0o755;
const PERMISSIONS = 0o7777n;
const STICKY = 0o1000n;
/** What Linux allows for the target of a link, bytes. */
const LINK_LIMIT = 4095;

const damaged = { hint: 'The bundle is damaged or was altered. Verify it and use another one.' };

/** What is at a real path itself, links not followed; undefined when nothing is. */
export async function lookAt(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(fsPath(path), { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Makes sure, before anything is touched, that `place` can be replaced by a rename within its directory.
 * Returns what stands there now.
 */
async function requireReplaceable(label: string, place: Place): Promise<BigIntStats | undefined> {
  const name = printable(label);
  const parent = await statOf(fsPath(parentOf(place.real)), { bigint: true }).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (place.real === '/' || parent === undefined || !parent.isDirectory()) {
    throw new HoldfastError('SOURCE_UNREACHABLE', `The directory that is to hold "${name}" does not exist.`, {
      hint: 'Create it, or correct the path.',
    });
  }
  const target = await lookAt(place.real);
  const mountPoint = await mountPointWithin(place.real);
  if (mountPoint !== undefined || (target !== undefined && target.dev !== parent.dev)) {
    const isItself = mountPoint === undefined || mountPoint === place.real;
    throw new HoldfastError(
      'INVALID_INPUT',
      `"${name}" ${isItself ? 'is a mount point' : 'contains a mount point'}, so it cannot be replaced in one step.`,
      { hint: 'Back up a directory inside the mounted file system instead, or mount its parent directory.' },
    );
  }
  await access(fsPath(parentOf(place.real)), constants.W_OK | constants.X_OK);
  const user = process.geteuid?.() ?? 0;
  const owners = [parent.uid, target?.uid ?? BigInt(user)];
  if (user !== 0 && (parent.mode & STICKY) !== 0n && !owners.includes(BigInt(user))) {
    throw new HoldfastError(
      'SOURCE_UNREACHABLE',
      `"${name}" is in a directory where only owners may rename things, and belongs to another user.`,
      { hint: 'Run Holdfast as the owner of the tree, or move the tree to a directory of its own.' },
    );
  }
  return target;
}

/** The owner that new things get: that of what they replace or, where nothing stands, of their directory. */
async function ownerLike(live: string, otherwise: () => Promise<Owner>): Promise<Owner | undefined> {
  if (!canSetOwner()) return undefined;
  const stat = await lstat(fsPath(live)).catch(() => undefined);
  const { uid, gid } = stat ?? (await otherwise());
  return { uid, gid };
}

class StagedTree implements TreeStage {
  readonly #tree: FileTree;
  readonly #selection: Selection;
  readonly #plan: SwapPlan;
  readonly #area: StageArea;
  /** What stands at the target; undefined when nothing does. */
  readonly #live: BigIntStats | undefined;

  constructor(
    tree: FileTree,
    selection: Selection,
    plan: SwapPlan,
    area: StageArea,
    live: BigIntStats | undefined,
  ) {
    this.#tree = tree;
    this.#selection = selection;
    this.#plan = plan;
    this.#area = area;
    this.#live = live;
  }

  async put(
    entry: TreeEntry,
    content: AsyncIterable<Buffer> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    requireSafeRelativePath(entry.path);
    const label = `${this.#tree.path}/${entry.path}`;
    try {
      await this.#requireParent(entry.path);
      await this.#write(entry, content, label, signal);
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') {
        throw new HoldfastError('INVALID_MANIFEST', `The bundle holds "${printable(label)}" twice.`, damaged);
      }
      throw sourceError(error, 'staging', label);
    }
  }

  async #requireParent(path: string): Promise<void> {
    const state = await this.#area.parentState(path);
    if (state === 'OCCUPIED') {
      throw new HoldfastError(
        'UNSAFE_PATH',
        `The path "${printable(path)}" is refused: it leads through something that is no directory.`,
        damaged,
      );
    }
    if (state === 'MISSING') {
      throw new HoldfastError(
        'INVALID_MANIFEST',
        `The bundle holds "${printable(path)}" but not, before it, the directory it is in.`,
        damaged,
      );
    }
  }

  async #write(
    entry: TreeEntry,
    content: AsyncIterable<Buffer> | undefined,
    label: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { path, mode, mtimeNs } = entry;
    const owner = await ownerLike(joinPath(this.#plan.target, path), () => this.#area.ownerOfParent(path));
    if (entry.kind === 'DIRECTORY') {
      await this.#area.makeDirectory(path, { mode, mtimeNs, owner });
    } else if (entry.kind === 'SYMLINK') {
      requireLinkTarget(path, entry.target);
      await this.#area.makeLink(path, entry.target, mtimeNs, owner);
    } else {
      if (content === undefined) throw new Error('a file needs content');
      const handle = await writeContent(this.#area.at(path), content, entry.sizeBytes, label, signal);
      await this.#area.settle(handle, { mode, mtimeNs, owner }, label);
    }
  }

  async finish(signal: AbortSignal): Promise<SwapPlan> {
    throwIfAborted(signal);
    const { target } = this.#plan;
    try {
      if (this.#live !== undefined) {
        await carryOver(target, this.#area, this.#selection, this.#tree.path, signal);
      }
      throwIfAborted(signal);
      const owner = await ownerLike(target, async () => lstat(fsPath(parentOf(target))));
      const mode = this.#live === undefined ? NEW_TREE_MODE : Number(this.#live.mode & PERMISSIONS);
      await this.#area.seal({ mode, mtimeNs: null, owner });
      await syncDirectory(parentOf(target));
      return this.#plan;
    } catch (error) {
      throw sourceError(error, 'staging', this.#tree.path);
    }
  }

  async abort(): Promise<void> {
    // What cannot be removed now is swept later; the failure that led here is the one to tell.
    await this.#area.remove().catch(() => undefined);
  }
}

/** @throws HoldfastError UNSAFE_PATH */
function requireLinkTarget(path: string, target: string): void {
  if (target === '' || target.includes('\0') || nameToBytes(target).length > LINK_LIMIT) {
    throw new HoldfastError(
      'UNSAFE_PATH',
      `The link "${printable(path)}" has an impossible target.`,
      damaged,
    );
  }
}

/** The three places of a restore of what is at `target` (a real path). */
export function swapPlanFor(target: string, restoreId: string): SwapPlan {
  return {
    target,
    staged: siblingPath(target, restoreId, 'new'),
    previous: siblingPath(target, restoreId, 'old'),
  };
}

/**
 * Prepares the way for a stage: the target can be replaced, and nothing of the same restore stands there.
 * `target` must be a directory, or a regular file, or not there.
 */
export async function clearWay(
  label: string,
  place: Place,
  plan: SwapPlan,
  kind: 'DIRECTORY' | 'FILE',
): Promise<BigIntStats | undefined> {
  const live = await requireReplaceable(label, place);
  if (live !== undefined && !(kind === 'DIRECTORY' ? live.isDirectory() : live.isFile())) {
    throw new HoldfastError(
      'INVALID_INPUT',
      `"${printable(label)}" is not a ${kind === 'DIRECTORY' ? 'directory' : 'file'}, so it cannot be replaced by one.`,
      { hint: 'Move it away, or correct the path.' },
    );
  }
  if ((await lookAt(plan.previous)) !== undefined) {
    throw new HoldfastError(
      'SOURCE_BUSY',
      `A restore of "${printable(label)}" was interrupted and awaits its end.`,
      {
        hint: 'Restart Holdfast, which finishes or undoes it, and try again.',
      },
    );
  }
  await removeStage(plan);
  return live;
}

/** Removes what a stage leaves beside its target, half-removed ones too. Idempotent. */
export async function removeStage({ staged }: SwapPlan): Promise<void> {
  await removeSibling(staged);
  await removeSibling(inRole(staged, 'spool'));
}

/**
 * Begins to stage a replacement of a tree that really is at `place`. A failure leaves nothing.
 * @throws HoldfastError SOURCE_UNREACHABLE when the directory around it is missing or not writable,
 * INVALID_INPUT when it is or holds a mount point or is no directory, SOURCE_BUSY after an interrupted restore.
 */
export async function beginStage(
  tree: FileTree,
  place: Place,
  restoreId: string,
  selection: Selection,
  signal: AbortSignal,
): Promise<TreeStage> {
  throwIfAborted(signal);
  const plan = swapPlanFor(place.real, restoreId);
  try {
    const live = await clearWay(tree.path, place, plan, 'DIRECTORY');
    return new StagedTree(tree, selection, plan, await StageArea.create(plan.staged), live);
  } catch (error) {
    throw sourceError(error, 'preparing a place beside', tree.path);
  }
}
