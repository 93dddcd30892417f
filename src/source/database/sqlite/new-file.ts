/**
 * A database file that a restore makes where none stands: after a disaster that is the usual target. Until the commit
 * nothing may stay of it, or the next backup would find an empty database where there is none.
 *
 * A note beside the file says for which restore it was made, written before the file and removed after the decision.
 */
import { open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, systemErrorCode } from '../../../errors.ts';

/** What the ticket of a restore holds that has made the file: it tells its directory from an empty mount point. */
export interface MadeFile {
  readonly directory: string;
}

/**
 * Makes an empty file at `path` for a restore unless something stands there.
 * @returns undefined when something does
 * @throws HoldfastError SOURCE_UNREACHABLE when it cannot be made, or would take over the log of a lost database
 */
export async function makeMissingFile(path: string, restoreId: string): Promise<MadeFile | undefined> {
  if (await isThere(path)) return undefined;
  for (const left of [`${path}-wal`, `${path}-journal`]) {
    if (((await stat(left).catch(() => undefined))?.size ?? 0) === 0) continue;
    throw new HoldfastError(
      'SOURCE_UNREACHABLE',
      `The database ${JSON.stringify(path)} does not exist, but ${JSON.stringify(left)} does, which SQLite would delete with what it holds.`,
      { hint: 'Bring back the database file that it belongs to, or move it away, then try again.' },
    );
  }
  try {
    await (await open(notePath(path, restoreId), 'w')).close();
    await syncDirectory(path);
    await (await open(path, 'wx')).close();
    await syncDirectory(path);
  } catch (error) {
    await rm(notePath(path, restoreId), { force: true }).catch(() => undefined);
    throw new HoldfastError(
      'SOURCE_UNREACHABLE',
      `The database ${JSON.stringify(path)} does not exist and cannot be made (${systemErrorCode(error)}).`,
      { hint: 'Give Holdfast the right to write in its directory.', cause: error },
    );
  }
  return { directory: await directoryOf(path) };
}

/** True when `path` is missing from the very directory in which a restore made it. */
export async function isGoneAgain(path: string, made: MadeFile): Promise<boolean> {
  if (await isThere(path)) return false;
  return (await directoryOf(path).catch(() => undefined)) === made.directory;
}

/**
 * Once a restore is rolled back: removes the file that was made for it, unless somebody has put something into it.
 * Idempotent.
 */
export async function removeMadeFile(path: string, restoreId: string): Promise<void> {
  if (!(await isThere(notePath(path, restoreId)))) return;
  if ((await stat(path).catch(() => undefined))?.size === 0) {
    await rm(path, { force: true });
    await syncDirectory(path);
  }
  await keepMadeFile(path, restoreId);
}

/** Once a restore is committed: the file stays. Idempotent. */
export async function keepMadeFile(path: string, restoreId: string): Promise<void> {
  await rm(notePath(path, restoreId), { force: true });
}

/** True when a restore of this id made the file, and is not settled yet. */
export async function wasMadeFor(path: string, restoreId: string): Promise<boolean> {
  return await isThere(notePath(path, restoreId));
}

function notePath(path: string, restoreId: string): string {
  return `${path}.holdfast-${restoreId.replace(/[^0-9A-Za-z]/g, '')}-new`;
}

/** True when something is at `path`; also when that cannot be told, since whoever opens it has more to say then. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ENOENT';
  }
}

/** Its number outlives a restart of the host; that of its device need not. */
async function directoryOf(path: string): Promise<string> {
  return String((await stat(dirname(path), { bigint: true })).ino);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path));
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
