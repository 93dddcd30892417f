/**
 * Directories held open, so that nobody can swap them for a link between two calls. On Linux their content is
 * reached through `/proc/self/fd/<n>/name`, which is `openat` by another name: whatever happens to the path,
 * the held directory is meant. Elsewhere the path is used, after a check that it still leads to the same place;
 * a small window remains there.
 */
import { constants, existsSync } from 'node:fs';
import { type FileHandle, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { joinPath } from './confine.ts';
import { bytesToName, fsPath } from './name-bytes.ts';

const DESCRIPTORS = '/proc/self/fd';
const hasDescriptors = process.platform === 'linux' && existsSync(DESCRIPTORS);

/** A directory that is open. `path` is where it was when it was opened, without links. */
export interface HeldDirectory {
  readonly path: string;
  /** The path for node:fs of something directly in it. */
  child(name: string): string | Buffer;
  /** Its names as Latin-1 (one character a byte), in byte order. */
  names(): Promise<string[]>;
  readonly handle: FileHandle;
}

/** True when an open file or directory really is at `path`, which holds no links. */
export async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  if (hasDescriptors) {
    const where = await readlink(`${DESCRIPTORS}/${handle.fd}`, { encoding: 'buffer' });
    return bytesToName(where) === path;
  }
  const [real, there, here] = await Promise.all([
    realpath(fsPath(path), { encoding: 'buffer' }),
    stat(fsPath(path), { bigint: true }),
    handle.stat({ bigint: true }),
  ]);
  return bytesToName(real) === path && there.ino === here.ino && there.dev === here.dev;
}

/** An error as the system would give it for a link where there should be none. */
function becameLink(): Error {
  return Object.assign(new Error('the path leads through a link'), { code: 'ELOOP' });
}

function held(handle: FileHandle, path: string): HeldDirectory {
  const base = hasDescriptors ? `${DESCRIPTORS}/${handle.fd}` : path;
  return {
    path,
    handle,
    child: (name) => fsPath(joinPath(base, name)),
    names: async () => (await readdir(fsPath(base), { encoding: 'latin1' })).sort(byCodeUnit),
  };
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : 1;
}

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Opens a directory by its real path. ELOOP when it is not there without links. Close its handle. */
export async function holdDirectory(path: string): Promise<HeldDirectory> {
  const handle = await open(fsPath(path), OPEN_DIRECTORY);
  try {
    if (!(await isAt(handle, path))) throw becameLink();
    return held(handle, path);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a directory within a held one. ELOOP or ENOTDIR when it is none (any more). Close its handle. */
export async function holdChild(parent: HeldDirectory, name: string): Promise<HeldDirectory> {
  const path = joinPath(parent.path, name);
  const handle = await open(parent.child(name), OPEN_DIRECTORY);
  if (!hasDescriptors && !(await isAt(handle, path).catch(() => false))) {
    await handle.close();
    throw becameLink();
  }
  return held(handle, path);
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(fsPath(path), OPEN_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
