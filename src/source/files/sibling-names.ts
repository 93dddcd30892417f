/**
 * Names of what a restore puts beside its target: `.<name>.holdfast-<restore id>-<role>`. Siblings, because
 * only a rename within one directory swaps in one step.
 */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import { baseOf, joinPath, parentOf } from './confine.ts';
import { nameToBytes } from './name-bytes.ts';

/** What Linux allows for one name, bytes. */
const NAME_LIMIT = 255;
const ROLES = ['new', 'old', 'spool', 'gone', 'aside'] as const;

/** new: being staged. old: the replaced target. spool: notes of the stage. gone: being removed. aside: see swap.ts. */
export type SiblingRole = (typeof ROLES)[number];

const SIBLING = new RegExp(`^\\..+\\.holdfast-[A-Za-z0-9_-]+-(${ROLES.join('|')})$`, 's');
const BENEATH_SIBLING = new RegExp(`(^|/)\\.[^/]+\\.holdfast-[A-Za-z0-9_-]+-(${ROLES.join('|')})(/|$)`);

/**
 * The path beside `target` that plays `role` in the restore.
 * @throws HoldfastError INVALID_INPUT when the id holds more than letters, digits, `_` and `-`.
 */
export function siblingPath(target: string, restoreId: string, role: SiblingRole): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(restoreId)) {
    throw new HoldfastError('INVALID_INPUT', 'A restore id is 1 to 64 letters, digits, "_" or "-".');
  }
  const suffix = `.holdfast-${restoreId}-${role}`;
  const base = baseOf(target);
  const tooLong = nameToBytes(base).length + suffix.length + 1 > NAME_LIMIT;
  const stem = tooLong ? createHash('sha256').update(nameToBytes(base)).digest('hex').slice(0, 32) : base;
  return joinPath(parentOf(target), `.${stem}${suffix}`);
}

/** The sibling of the same restore that plays another role. */
export function inRole(sibling: string, role: SiblingRole): string {
  return `${sibling.slice(0, sibling.lastIndexOf('-') + 1)}${role}`;
}

/** True when `sibling` is named as this restore's thing beside `target`. */
export function isSiblingOf(target: string, sibling: string, role: SiblingRole): boolean {
  return (
    parentOf(sibling) === parentOf(target) && SIBLING.test(baseOf(sibling)) && sibling.endsWith(`-${role}`)
  );
}

/** True when a path in a tree is what a restore put there, or lies beneath it: never part of a backup. */
export function belongsToRestore(path: string): boolean {
  return BENEATH_SIBLING.test(path);
}
