/**
 * Puts a staged tree or file in the place of its target, and back. Two renames are no single step, so what to
 * do next is read off the three paths each time; every call may be repeated, also after a crash in its middle.
 *
 * | target | staged | previous | meaning                                             |
 * |--------|--------|----------|-----------------------------------------------------|
 * | yes    | yes    | no       | not begun                                           |
 * | no     | yes    | no       | not begun, and there was nothing to replace         |
 * | no     | yes    | yes      | in the middle                                       |
 * | yes    | no     | yes      | swapped                                             |
 * | yes    | yes    | yes      | in the middle, and somebody made a new target since |
 * | no     | no     | yes      | swapped, and somebody removed the target since      |
 * | any    | no     | no       | over: undone, or decided and tidied up              |
 *
 * Where there was nothing to replace, `previous` is a link that says so, so that this too can be read off.
 * A target that somebody made in the middle (an application that started again) is in the way of both
 * directions; if it holds anything it is set aside as `.<name>.holdfast-<restore id>-aside` and not lost.
 */
import { readlink, rename, rmdir, symlink } from 'node:fs/promises';
import { HoldfastError, systemErrorCode } from '../../errors.ts';
import type { SwapPlan } from '../file-trees.ts';
import { type Confinement, parentOf } from './confine.ts';
import { syncDirectory } from './held-directory.ts';
import { fsPath, printable } from './name-bytes.ts';
import { removeSibling, removeTree } from './remove-tree.ts';
import { inRole, isSiblingOf } from './sibling-names.ts';
import { isMissing, sourceError } from './system-errors.ts';

const NOTHING_WAS_HERE = 'holdfast:nothing-was-here';

type Presence = 'NOTHING' | 'SOMETHING' | 'MARK';

async function presence(path: string): Promise<Presence> {
  try {
    return (await readlink(fsPath(path))) === NOTHING_WAS_HERE ? 'MARK' : 'SOMETHING';
  } catch (error) {
    if (isMissing(error)) return 'NOTHING';
    if (systemErrorCode(error) === 'EINVAL') return 'SOMETHING';
    throw error;
  }
}

async function look({ target, staged, previous }: SwapPlan) {
  return {
    target: (await presence(target)) !== 'NOTHING',
    staged: (await presence(staged)) !== 'NOTHING',
    previous: await presence(previous),
  };
}

/** Renames, and makes it durable before anything else happens. */
async function move(from: string, to: string): Promise<void> {
  await rename(fsPath(from), fsPath(to));
  await syncDirectory(parentOf(to));
}

/** Clears the target of something that somebody made in the middle of a swap. */
async function setAside({ target, staged }: SwapPlan): Promise<void> {
  try {
    await rmdir(fsPath(target));
  } catch {
    await move(target, inRole(staged, 'aside'));
  }
}

/** Passes plans whose three places are what this program would name beside a target inside the roots. */
async function requirePlan(plan: SwapPlan, confinement: Confinement): Promise<void> {
  const { target, staged, previous } = plan;
  await confinement.requireStill(target);
  if (!isSiblingOf(target, staged, 'new') || previous !== inRole(staged, 'old')) {
    throw new HoldfastError(
      'UNSAFE_PATH',
      `The places of the swap of "${printable(target)}" do not fit together.`,
    );
  }
}

async function swapForward(plan: SwapPlan): Promise<void> {
  const { target, staged, previous } = plan;
  const now = await look(plan);
  if (!now.staged) {
    if (!now.target) {
      throw new HoldfastError('SOURCE_UNREACHABLE', `What was staged for "${printable(target)}" is gone.`, {
        hint: 'Somebody removed it. Start the restore again.',
      });
    }
    return;
  }
  if (now.previous === 'NOTHING') {
    if (now.target) {
      await move(target, previous);
    } else {
      await symlink(NOTHING_WAS_HERE, fsPath(previous));
      await syncDirectory(parentOf(previous));
    }
  } else if (now.target) {
    await setAside(plan);
  }
  await move(staged, target);
}

async function swapBackward(plan: SwapPlan): Promise<void> {
  const { target, staged, previous } = plan;
  const now = await look(plan);
  if (now.previous !== 'NOTHING') {
    if (now.target && now.staged) await setAside(plan);
    else if (now.target) await move(target, staged);
    if (now.previous === 'SOMETHING') await move(previous, target);
    else await removeTree(previous);
  }
  await removeSibling(staged);
  await syncDirectory(parentOf(target));
}

async function discard(plan: SwapPlan): Promise<void> {
  const now = await look(plan);
  if (now.staged && now.previous !== 'NOTHING') {
    throw new HoldfastError('SOURCE_BUSY', `The swap of "${printable(plan.target)}" is not finished.`, {
      hint: 'Restart Holdfast, which finishes or undoes it.',
    });
  }
  await removeSibling(plan.previous);
  await syncDirectory(parentOf(plan.target));
}

/** The three calls on swaps of {@link FileTrees}, each checked against the roots first. */
export interface Swaps {
  swap(plan: SwapPlan): Promise<void>;
  swapBack(plan: SwapPlan): Promise<void>;
  discardPrevious(plan: SwapPlan): Promise<void>;
}

/**
 * Swaps inside the roots only.
 * @throws HoldfastError UNSAFE_PATH from every call for a plan that reaches outside or was not made here.
 */
export function swapsWithin(confinement: Confinement): Swaps {
  const checked = (step: (plan: SwapPlan) => Promise<void>, doing: string) => async (plan: SwapPlan) => {
    try {
      await requirePlan(plan, confinement);
      await step(plan);
    } catch (error) {
      throw sourceError(error, doing, plan.target);
    }
  };
  return {
    swap: checked(swapForward, 'swapping in'),
    swapBack: checked(swapBackward, 'putting back'),
    discardPrevious: checked(discard, 'removing the replaced copy of'),
  };
}
