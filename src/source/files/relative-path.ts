/** Paths inside a tree, as bundles hold them. */
import { HoldfastError } from '../../errors.ts';
import { nameToBytes, printable } from './name-bytes.ts';

/** What Linux allows for one name, bytes. */
const NAME_LIMIT = 255;

/**
 * Passes a path that is relative, names something and stays inside its tree. `a..b` and `[...slug]` are names
 * like any other.
 * @throws HoldfastError UNSAFE_PATH for everything else.
 */
export function requireSafeRelativePath(path: string): void {
  const refuse = (why: string): HoldfastError =>
    new HoldfastError('UNSAFE_PATH', `The path "${printable(path)}" is refused: ${why}.`, {
      hint: 'The bundle may have been tampered with. Do not restore it.',
    });
  if (path === '') throw refuse('it is empty');
  if (path.includes('\0')) throw refuse('it contains a NUL character');
  if (path.startsWith('/')) throw refuse('it is absolute');
  for (const name of path.split('/')) {
    if (name === '') throw refuse('it contains an empty name');
    if (name === '.' || name === '..') throw refuse(`it contains "${name}"`);
    if (nameToBytes(name).length > NAME_LIMIT) throw refuse(`it contains a name over ${NAME_LIMIT} bytes`);
  }
}
