/**
 * The one hierarchy of errors. A refusal that a caller can act on is a {@link HoldfastError}: it has a code
 * from {@link ERROR_CODES}, says what happened and, as `hint`, what to do. Anything else that is thrown is a
 * fault of ours and reaches callers only as a masked INTERNAL error.
 */

/** Every code a caller can meet, with what it means. The GraphQL enum `ErrorCode` is made from this table. */
export const ERROR_CODES = {
  UNAUTHENTICATED: 'No valid credentials came with the request.',
  FORBIDDEN: 'The caller is known, but its role does not allow this.',
  NOT_FOUND: 'Nothing with this id exists in the workspace.',
  INVALID_INPUT: 'The input breaks a rule; the message names the field and the rule.',
  RATE_LIMITED: 'Too many requests; try again later.',
  LOCK_HELD: 'Another record is working on this source.',
  LOCK_LOST: 'The lock on the source expired while the record was working; it stopped.',
  SOURCE_UNREACHABLE: 'The database or path of the source cannot be reached or read.',
  SOURCE_BUSY: 'The application holds locks or sessions that the operation has to wait for.',
  FORMAT_TOO_NEW: 'The bundle or catalog was written by a newer Holdfast.',
  FORMAT_TOO_OLD: 'The bundle was written in a format that is no longer read.',
  SCHEMA_MISMATCH: 'The structure of the target differs from what the bundle holds.',
  INVALID_MANIFEST: 'The bundle is empty, truncated, no bundle at all, or its manifest is malformed.',
  INVALID_CHECKSUM: 'Content does not match its recorded checksum, size or count.',
  INVALID_SIGNATURE: 'The signature of the manifest does not match.',
  DECRYPTION_FAILED: 'The bundle cannot be decrypted with the key at hand.',
  UNSAFE_PATH: 'A path leaves its tree, the configured roots, or is otherwise not allowed.',
  NO_OP_RESTORE: 'The selection restores nothing.',
  PLAN_CHANGED: 'The restore plan is not the one that was approved.',
  STORAGE_FULL: 'The storage, staging area or database has no room left.',
  STORAGE_UNAVAILABLE: 'The storage cannot be read or written.',
  CANCELED: 'The record was canceled, or another that it needs.',
  INTERNAL: 'A fault of Holdfast itself; the log has the details under the given id.',
} as const;

/** A code from {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error may carry besides code and message. */
export interface ErrorDetails {
  /** What the reader can do about it. */
  readonly hint?: string;
  /** The input field at fault, as a dotted path. */
  readonly field?: string;
  /** The underlying error; goes to the log, never to a caller. */
  readonly cause?: unknown;
}

/** An expected refusal or failure, told to the caller as it stands: never put a secret in it. */
export class HoldfastError extends Error {
  override readonly name: string = 'HoldfastError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.field = details.field;
  }
}

/** Throws CANCELED when the signal has been aborted, with the abort reason when that is an error of ours. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}

/** The error that stands for an aborted signal: its own {@link HoldfastError} reason, else CANCELED. */
export function abortError(signal: AbortSignal): HoldfastError {
  return signal.reason instanceof HoldfastError
    ? signal.reason
    : new HoldfastError('CANCELED', 'The operation was canceled.', { cause: signal.reason });
}

/** The `code` of a Node.js system error (`ENOENT`, `ENOSPC`, …), else undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
