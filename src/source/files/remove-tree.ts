/** Removes trees without ever following a link out of them, whatever the bytes of the names and the modes. */
import { chmod, lstat, rename, rmdir, unlink } from 'node:fs/promises';
import { systemErrorCode } from '../../errors.ts';
import { baseOf, parentOf } from './confine.ts';
import { type HeldDirectory, holdChild, holdDirectory, syncDirectory } from './held-directory.ts';
import { fsPath, latin1ToName } from './name-bytes.ts';
import { inRole } from './sibling-names.ts';
import { isMissing } from './system-errors.ts';

const BATCH = 32;
/** An application that still writes into a directory makes it not empty again. */
const ATTEMPTS = 5;
const OWNER_ALL = 0o700;

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

async function enter(parent: HeldDirectory, name: string): Promise<HeldDirectory> {
  try {
    return await holdChild(parent, name);
  } catch (error) {
    if (systemErrorCode(error) !== 'EACCES') throw error;
    await chmod(parent.child(name), OWNER_ALL);
    return holdChild(parent, name);
  }
}

async function removeContent(directory: HeldDirectory): Promise<void> {
  const { mode } = await directory.handle.stat();
  if ((mode & OWNER_ALL) !== OWNER_ALL) await directory.handle.chmod(OWNER_ALL);
  const names = await directory.names();
  for (let first = 0; first < names.length; first += BATCH) {
    const batch = names.slice(first, first + BATCH).map(latin1ToName);
    const stats = await Promise.all(
      batch.map(async (name) => {
        const stat = await lstat(directory.child(name)).catch(ignoreMissing);
        if (stat !== undefined && !stat.isDirectory())
          await unlink(directory.child(name)).catch(ignoreMissing);
        return { name, isDirectory: stat?.isDirectory() === true };
      }),
    );
    for (const { name, isDirectory } of stats) if (isDirectory) await removeDirectory(directory, name);
  }
}

async function removeDirectory(parent: HeldDirectory, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const directory = await enter(parent, name);
      try {
        await removeContent(directory);
      } finally {
        await directory.handle.close();
      }
      await rmdir(parent.child(name));
      return;
    } catch (error) {
      if (isMissing(error)) return;
      if (systemErrorCode(error) !== 'ENOTEMPTY' || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Removes whatever is at `path` (a real path), a link itself and not its target. Nothing there is fine. */
export async function removeTree(path: string): Promise<void> {
  const stat = await lstat(fsPath(path)).catch(ignoreMissing);
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    await unlink(fsPath(path)).catch(ignoreMissing);
    return;
  }
  const parent = await holdDirectory(parentOf(path));
  try {
    await removeDirectory(parent, baseOf(path));
  } finally {
    await parent.handle.close();
  }
}

/**
 * Removes a sibling of a restore so that a crash in the middle never leaves a part of it under its name: it is
 * renamed first. Removes what an earlier call left behind, too.
 */
export async function removeSibling(sibling: string): Promise<void> {
  const gone = inRole(sibling, 'gone');
  await removeTree(gone);
  try {
    await rename(fsPath(sibling), fsPath(gone));
  } catch (error) {
    ignoreMissing(error);
    return;
  }
  await syncDirectory(parentOf(sibling));
  await removeTree(gone);
}
