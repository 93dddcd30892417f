/**
 * Refusals as types. One table says which codes each type stands for; the errors plugin asks `instanceof`, which
 * here looks at the code, so the engine's errors need no translation.
 */
import { ERROR_CODES, type ErrorCode, HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';

/** Every code, with the descriptions of the table in src/errors.ts. */
export const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'What went wrong, for programs.',
  values: Object.fromEntries(
    Object.entries(ERROR_CODES).map(([code, description]) => [code, { description }]),
    // Object.fromEntries forgets the literal keys that Object.entries came from.
  ) as { [Code in ErrorCode]: { description: string } },
});

const UserErrorInterface = builder.interfaceRef<HoldfastError>('UserError').implement({
  description: 'A refusal that the caller can act on. Nothing was changed.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What happened, for people.' }),
    code: t.expose('code', { type: ErrorCodeEnum, description: 'What happened, for programs.' }),
    hint: t.string({
      nullable: true,
      description: 'What the caller can do about it.',
      resolve: (error) => error.hint ?? null,
    }),
  }),
});

/** The type each code answers as. Codes that are not here never stand in a result: they are GraphQL errors. */
const REFUSALS = {
  InvalidInputError: ['INVALID_INPUT', 'UNSAFE_PATH'],
  ForbiddenError: ['FORBIDDEN'],
  NotFoundError: ['NOT_FOUND'],
  LockHeldError: ['LOCK_HELD', 'LOCK_LOST'],
  SourceUnavailableError: ['SOURCE_UNREACHABLE', 'SOURCE_BUSY'],
  BundleError: [
    'FORMAT_TOO_NEW',
    'FORMAT_TOO_OLD',
    'INVALID_MANIFEST',
    'INVALID_CHECKSUM',
    'INVALID_SIGNATURE',
    'DECRYPTION_FAILED',
  ],
  RestoreRefusedError: ['SCHEMA_MISMATCH', 'NO_OP_RESTORE', 'PLAN_CHANGED'],
  StorageError: ['STORAGE_FULL', 'STORAGE_UNAVAILABLE'],
} as const satisfies Record<string, readonly ErrorCode[]>;

function stands(name: keyof typeof REFUSALS, error: unknown): boolean {
  const codes: readonly ErrorCode[] = REFUSALS[name];
  return error instanceof HoldfastError && codes.includes(error.code);
}

/** Anything the input says that breaks a rule. */
export class InvalidInputError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('InvalidInputError', error);
}
export class ForbiddenError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('ForbiddenError', error);
}
export class NotFoundError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('NotFoundError', error);
}
export class LockHeldError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('LockHeldError', error);
}
export class SourceUnavailableError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('SourceUnavailableError', error);
}
export class BundleError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('BundleError', error);
}
export class RestoreRefusedError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('RestoreRefusedError', error);
}
export class StorageError extends HoldfastError {
  static override [Symbol.hasInstance] = (error: unknown) => stands('StorageError', error);
}

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks a rule. INVALID_INPUT or UNSAFE_PATH.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    field: t.string({
      nullable: true,
      description: 'The input field at fault, as a dotted path; null when no single one is.',
      resolve: (error) => error.field ?? null,
    }),
  }),
});
builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  description: "The viewer's role does not allow this. FORBIDDEN.",
  interfaces: [UserErrorInterface],
});
builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'The workspace has nothing with this id. NOT_FOUND.',
  interfaces: [UserErrorInterface],
});
builder.objectType(LockHeldError, {
  name: 'LockHeldError',
  description: 'Another record works on the source. LOCK_HELD or LOCK_LOST.',
  interfaces: [UserErrorInterface],
});
builder.objectType(SourceUnavailableError, {
  name: 'SourceUnavailableError',
  description:
    'The source cannot be reached, or the application keeps it busy. SOURCE_UNREACHABLE or SOURCE_BUSY.',
  interfaces: [UserErrorInterface],
});
builder.objectType(BundleError, {
  name: 'BundleError',
  description:
    'The bundle cannot be used. FORMAT_TOO_NEW, FORMAT_TOO_OLD, INVALID_MANIFEST, INVALID_CHECKSUM, INVALID_SIGNATURE or DECRYPTION_FAILED.',
  interfaces: [UserErrorInterface],
});
builder.objectType(RestoreRefusedError, {
  name: 'RestoreRefusedError',
  description: 'The restore does not fit its target. SCHEMA_MISMATCH, NO_OP_RESTORE or PLAN_CHANGED.',
  interfaces: [UserErrorInterface],
});
builder.objectType(StorageError, {
  name: 'StorageError',
  description: 'The storage has no room or does not answer. STORAGE_FULL or STORAGE_UNAVAILABLE.',
  interfaces: [UserErrorInterface],
});
