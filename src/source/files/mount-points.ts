/**
 * Mount points in the way of a swap. One cannot be renamed, and one beneath a tree would move with the replaced
 * tree and be emptied with it.
 */
import { readFile } from 'node:fs/promises';
import { isInside } from './confine.ts';
import { latin1ToName } from './name-bytes.ts';

/** The column of /proc/self/mountinfo that holds the mount point. */
const MOUNT_POINT = 4;

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** The first mount point at or beneath `path` (a real path); undefined when there is none, or no Linux. */
export async function mountPointWithin(path: string): Promise<string | undefined> {
  const table = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '');
  return table
    .split('\n')
    .map((line) => latin1ToName(unescapeOctal(line.split(' ')[MOUNT_POINT] ?? '')))
    .find((mountPoint) => mountPoint !== '' && isInside(mountPoint, path));
}
