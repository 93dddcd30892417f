/** The rule for {@link StorageKey}s, checked before a key is used for anything. */
import { HoldfastError } from '../errors.ts';
import type { StorageKey } from './storage.ts';

const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** Leaves room for what a storage puts around a file name while it is written; file systems stop at 255 bytes. */
const LONGEST_SEGMENT = 200;

function segmentsOf(path: string, fewest: number): readonly string[] {
  const segments = path.split('/');
  const sound =
    segments.length >= fewest &&
    segments.every((segment) => segment.length <= LONGEST_SEGMENT && SEGMENT.test(segment));
  if (!sound) {
    throw new HoldfastError('UNSAFE_PATH', `${JSON.stringify(path)} is not a valid name in a storage.`, {
      hint: 'Use folders and a file name of letters, digits, dots, underscores and dashes that do not begin with a dot.',
    });
  }
  return segments;
}

/**
 * The segments of a key, two or more.
 * @throws UNSAFE_PATH when it is none.
 */
export function keySegments(key: StorageKey): readonly string[] {
  return segmentsOf(key, 2);
}

/**
 * The segments of a folder, one or more.
 * @throws UNSAFE_PATH when it is none.
 */
export function folderSegments(folder: string): readonly string[] {
  return segmentsOf(folder, 1);
}
