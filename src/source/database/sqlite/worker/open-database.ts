import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { HoldfastError, systemErrorCode } from '../../../../errors.ts';
import { primaryCode } from './sqlite-error.ts';

/** A connection, as better-sqlite3 types it. */
export type Connection = InstanceType<typeof Database>;

/** Pages kept in memory, KiB. Reading goes once through each table; writing comes back to the pages of indexes. */
const CACHE_KIB = { reading: 2048, writing: 4096 } as const;

/**
 * Opens the database and makes sure that it is one. For reading it is opened read-only, except when a crash left a
 * journal that has to be played back first, as any application would do that opens it next.
 *
 * @throws HoldfastError SOURCE_UNREACHABLE, or an error of SQLite
 */
export function openDatabase(path: string, forWriting: boolean, busyTimeoutMs: number): Connection {
  checkFile(path);
  if (forWriting) return connect(path, false, busyTimeoutMs);
  try {
    return connect(path, true, busyTimeoutMs);
  } catch (error) {
    if (!needsRecovery(error)) throw error;
    const connection = connect(path, false, busyTimeoutMs);
    connection.pragma('query_only = ON');
    return connection;
  }
}

/** True when nothing is there but the directory it would be in. */
export function isMissing(path: string): boolean {
  const at = (place: string) => statSync(place, { throwIfNoEntry: false });
  return at(path) === undefined && at(dirname(path))?.isDirectory() === true;
}

/** A database without anything in it, and without a file. */
export function emptyDatabase(): Connection {
  return new Database(':memory:');
}

function connect(path: string, readonly: boolean, busyTimeoutMs: number): Connection {
  const connection = new Database(path, { readonly, fileMustExist: true, timeout: busyTimeoutMs });
  try {
    connection.pragma(`cache_size = -${readonly ? CACHE_KIB.reading : CACHE_KIB.writing}`);
    // Opening alone reads nothing.
    connection.prepare('SELECT count(*) FROM sqlite_schema').get();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function needsRecovery(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    ['SQLITE_READONLY', 'SQLITE_CANTOPEN'].includes(primaryCode(error.code))
  );
}

function checkFile(path: string): void {
  const refuse = (why: string, hint: string, cause?: unknown): never => {
    throw new HoldfastError('SOURCE_UNREACHABLE', `The database ${JSON.stringify(path)} ${why}.`, {
      hint,
      cause,
    });
  };
  try {
    // A pipe or device would block or be changed by the mere opening.
    if (!statSync(path).isFile()) refuse('is not a file', 'Give the path of the database file itself.');
    accessSync(path, constants.R_OK);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      refuse('does not exist', 'Check the path, and that the volume it is on is mounted.', error);
    }
    refuse(`cannot be read (${code})`, 'Give Holdfast the right to read the file and its directory.', error);
  }
}
