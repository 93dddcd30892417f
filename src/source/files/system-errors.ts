/**
 * What the operating system's errors mean to people. Messages carry the path as the user configured it, never
 * the path Node.js puts into its own message; that one stays in `cause`, for the log.
 */
import { HoldfastError, systemErrorCode } from '../../errors.ts';
import { printable } from './name-bytes.ts';

/** True for the codes that mean "there is nothing". */
export function isMissing(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Faults of the whole process rather than of one file. */
const PROCESS_FAULTS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EBADF', 'EFAULT']);

/**
 * Why one thing in a tree cannot be backed up, in words; undefined when the error says nothing about that one
 * thing (too many open files, no system error at all) and must not be passed over.
 */
export function whySkipped(error: unknown): string | undefined {
  const code = error instanceof HoldfastError ? undefined : systemErrorCode(error);
  switch (code) {
    case undefined:
      return undefined;
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it vanished while the tree was read';
    case 'EACCES':
    case 'EPERM':
      return 'it cannot be read: permission denied';
    case 'ELOOP':
      return 'it was replaced by a link while the tree was read';
    case 'ENAMETOOLONG':
      return 'it cannot be read: its path is too long for this system';
    default:
      return PROCESS_FAULTS.has(code) ? undefined : `it cannot be read: the system says ${code}`;
  }
}

/**
 * The error to throw for a failed call on `label`, which is a path as the user knows it. `doing` is a gerund:
 * "reading", "staging". Errors of ours and programming errors come back as they are.
 */
export function sourceError(error: unknown, doing: string, label: string): unknown {
  const code = systemErrorCode(error);
  if (error instanceof HoldfastError || code === undefined) return error;
  const subject = `${doing} "${printable(label)}"`;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new HoldfastError('STORAGE_FULL', `There is no room left for ${subject}.`, {
        hint: 'Free space on the file system that holds this path (a restore needs room for a second copy beside it), then start again. Nothing was replaced.',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new HoldfastError('SOURCE_UNREACHABLE', `Permission denied while ${subject}.`, {
        hint: 'Give the user that runs Holdfast access to this path and to the directory it is in.',
        cause: error,
      });
    case 'EROFS':
      return new HoldfastError('SOURCE_UNREACHABLE', `The file system is read-only; failed ${subject}.`, {
        hint: 'Make the file system that holds this path writable.',
        cause: error,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new HoldfastError('SOURCE_UNREACHABLE', `Something is missing; failed ${subject}.`, {
        hint: 'Check that this path exists and is the one you mean.',
        cause: error,
      });
    case 'EBUSY':
      return new HoldfastError('SOURCE_BUSY', `The system is using the path; failed ${subject}.`, {
        hint: 'A mount point cannot be replaced: configure a directory inside of it.',
        cause: error,
      });
    default:
      return new HoldfastError('SOURCE_UNREACHABLE', `The system says ${code}; failed ${subject}.`, {
        hint: 'Check the file system that holds this path.',
        cause: error,
      });
  }
}
