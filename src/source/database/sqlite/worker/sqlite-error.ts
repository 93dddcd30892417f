import Database from 'better-sqlite3';
import { type ErrorCode, HoldfastError } from '../../../../errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** By primary result code of SQLite. `%` stands for the path. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  SQLITE_BUSY: {
    code: 'SOURCE_BUSY',
    message: 'The database % is locked by another process.',
    hint: 'Stop the application, or wait until its transaction has ended, then try again.',
  },
  SQLITE_NOTADB: {
    code: 'SOURCE_UNREACHABLE',
    message: 'The file % is not a SQLite database, or it is encrypted.',
    hint: 'Check the path. Encrypted databases (SQLCipher, SEE) cannot be read.',
  },
  SQLITE_CORRUPT: {
    code: 'SOURCE_UNREACHABLE',
    message: 'The database % is damaged.',
    hint: 'Run "PRAGMA integrity_check" on it; restore an earlier backup if it cannot be repaired.',
  },
  SQLITE_CANTOPEN: {
    code: 'SOURCE_UNREACHABLE',
    message: 'The database % cannot be opened.',
    hint: 'Holdfast needs the right to read the file and to write in its directory, where SQLite keeps its -wal, -shm and -journal files.',
  },
  SQLITE_PERM: {
    code: 'SOURCE_UNREACHABLE',
    message: 'The database % may not be opened.',
    hint: 'Give Holdfast the right to read and write the file and its directory.',
  },
  SQLITE_READONLY: {
    code: 'SOURCE_UNREACHABLE',
    message: 'The database % cannot be written.',
    hint: 'Give Holdfast the right to write the file and its directory; see whether the file system is mounted read-only.',
  },
  SQLITE_FULL: {
    code: 'STORAGE_FULL',
    message: 'There is no room left for the database % or its journal.',
    hint: 'Make room on the file system that holds it, and on the one for temporary files, then try again.',
  },
  SQLITE_IOERR: {
    code: 'SOURCE_UNREACHABLE',
    message: 'Reading or writing the database % failed.',
    hint: "See whether its file system is healthy and still mounted; the system's log may say more.",
  },
};
const SAME_AS: Readonly<Record<string, string>> = {
  SQLITE_LOCKED: 'SQLITE_BUSY',
  SQLITE_PROTOCOL: 'SQLITE_BUSY',
};

/** What a fault of SQLite means for whoever asked. Errors that already are ours pass through. */
export function toHoldfastError(error: unknown, path: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  if (!(error instanceof Database.SqliteError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return new HoldfastError('INTERNAL', `The process that holds the database failed: ${message}`, {
      cause: error,
    });
  }
  const primary = primaryCode(error.code);
  const meaning = MEANINGS[SAME_AS[primary] ?? primary];
  if (meaning !== undefined) {
    const message = `${meaning.message.replace('%', () => JSON.stringify(path))} (${error.code}: ${error.message})`;
    return new HoldfastError(meaning.code, message, { hint: meaning.hint, cause: error });
  }
  return new HoldfastError('SCHEMA_MISMATCH', `SQLite refused: ${error.message} (${error.code}).`, {
    hint: 'The structure may have changed, or need an extension that Holdfast does not have.',
    cause: error,
  });
}

/** True for faults that say something about the value or the table, not about the database file. */
export function isRefusal(error: unknown): error is InstanceType<typeof Database.SqliteError> {
  return error instanceof Database.SqliteError && MEANINGS[primaryCode(error.code)] === undefined;
}

/** The result code without its extension: SQLITE_IOERR for SQLITE_IOERR_READ. */
export function primaryCode(code: string): string {
  return code.split('_').slice(0, 2).join('_');
}
