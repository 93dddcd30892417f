/** Turns what the operating system says into the errors of the storage contract. */
import { HoldfastError, systemErrorCode } from '../errors.ts';

/**
 * The contract's error for a fault of the medium: STORAGE_FULL when there is no room or quota left, otherwise
 * STORAGE_UNAVAILABLE. An error of ours passes through.
 * @param doing what was attempted, e.g. `write a bundle`
 */
export function storageError(error: unknown, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('STORAGE_FULL', `No room was left to ${doing}.`, {
      hint: 'Free space on the storage or delete old backups, then try again.',
      cause: error,
    });
  }
  return new HoldfastError(
    'STORAGE_UNAVAILABLE',
    `The storage failed to ${doing}${code === undefined ? '' : ` (${code})`}.`,
    { hint: 'Check that the storage is mounted, writable and healthy.', cause: error },
  );
}

/** The answer when an object is certainly not there. */
export function objectNotFound(key: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', `The storage holds no object ${key}.`);
}

/** The answer when a key is taken: a storage never overwrites. */
export function objectExists(key: string): HoldfastError {
  return new HoldfastError(
    'INVALID_INPUT',
    `The storage already holds an object ${key}; nothing was overwritten.`,
  );
}
