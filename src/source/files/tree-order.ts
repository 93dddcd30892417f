/** The order of a walk, as a comparison: depth first, parents before children, names in byte order. */
import { nameToBytes } from './name-bytes.ts';

const SLASH = 0x2f;

/**
 * Compares two paths of one tree: negative when `left` is walked before `right`, 0 when they are the same.
 * Names are compared by their bytes, and the end of a name comes before every byte: `a/b` comes before `a!`.
 */
export function compareInTreeOrder(left: string, right: string): number {
  if (left === right) return 0;
  const leftBytes = nameToBytes(left);
  const rightBytes = nameToBytes(right);
  const shared = Math.min(leftBytes.length, rightBytes.length);
  for (let index = 0; index < shared; index++) {
    const leftByte = leftBytes.readUInt8(index);
    const rightByte = rightBytes.readUInt8(index);
    if (leftByte === rightByte) continue;
    if (leftByte === SLASH) return -1;
    if (rightByte === SLASH) return 1;
    return leftByte - rightByte;
  }
  return leftBytes.length - rightBytes.length;
}
