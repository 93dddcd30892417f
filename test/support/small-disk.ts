/** A file system with little room, where this process may mount one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  /** Takes all room but so many bytes. Gives it back with {@link makeRoom}. */
  fill(leaving: number): Promise<void>;
  makeRoom(): void;
  remove(): void;
}

/** Whether file systems can be mounted here; root in a container may be forbidden to. */
export function canMount(): boolean {
  try {
    smallDisk(64 * 1024).remove();
    return true;
  } catch {
    return false;
  }
}

/** Mounts a tmpfs of so many bytes. */
export function smallDisk(bytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' });
  } catch (error) {
    rmSync(path, { recursive: true });
    throw error;
  }
  const ballast = join(path, 'ballast');
  return {
    path,
    async fill(leaving) {
      const { bavail, bsize } = statfsSync(path);
      await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
    },
    makeRoom: () => rmSync(ballast, { force: true }),
    remove() {
      execFileSync('umount', ['-l', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
