/** Writes a replacement of a single file beside it. */
import { lstat } from 'node:fs/promises';
import { throwIfAborted } from '../../errors.ts';
import type { SwapPlan } from '../file-trees.ts';
import { type Place, parentOf } from './confine.ts';
import { syncDirectory } from './held-directory.ts';
import { fsPath } from './name-bytes.ts';
import { removeTree } from './remove-tree.ts';
import { clearWay, swapPlanFor } from './stage.ts';
import { canSetOwner } from './stage-area.ts';
import { sourceError } from './system-errors.ts';
import { settleFile, writeContent } from './write-file.ts';

/**
 * Stages `content` as the file that really is, or will be, at `place`. It gets `mode` and the owner of what it
 * replaces (else of its directory, where permitted). A failure leaves nothing.
 * @throws HoldfastError as for a tree; what `content` throws, as it is.
 */
export async function stageSingleFile(
  path: string,
  place: Place,
  mode: number,
  content: AsyncIterable<Buffer>,
  restoreId: string,
  signal: AbortSignal,
): Promise<SwapPlan> {
  throwIfAborted(signal);
  const plan = swapPlanFor(place.real, restoreId);
  try {
    const live = await clearWay(path, place, plan, 'FILE');
    const { uid, gid } = live ?? (await lstat(fsPath(parentOf(place.real))));
    const owner = canSetOwner() ? { uid: Number(uid), gid: Number(gid) } : undefined;
    const handle = await writeContent(fsPath(plan.staged), content, undefined, path, signal);
    try {
      await settleFile(handle, { mode, mtimeNs: null, owner }, path);
      await syncDirectory(parentOf(plan.target));
    } catch (error) {
      await removeTree(plan.staged);
      throw error;
    }
    return plan;
  } catch (error) {
    throw sourceError(error, 'staging', path);
  }
}
