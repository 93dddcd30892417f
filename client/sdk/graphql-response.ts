/** What a GraphQL server answers, read without trusting it. */
import { HoldfastRequestError, type RequestErrorCode } from './errors.ts';
import type { ErrorCode } from './generated/graphql.ts';

/** A GraphQL answer, over whichever transport it came. */
export interface GraphQLResponse {
  readonly data?: unknown;
  readonly errors?: readonly unknown[] | undefined;
}

/** The codes of the server; `satisfies` makes the compiler complain when one is missing. */
const SERVER_CODES = {
  CANCELED: true,
  DECRYPTION_FAILED: true,
  FORBIDDEN: true,
  FORMAT_TOO_NEW: true,
  FORMAT_TOO_OLD: true,
  INTERNAL: true,
  INVALID_CHECKSUM: true,
  INVALID_INPUT: true,
  INVALID_MANIFEST: true,
  INVALID_SIGNATURE: true,
  LOCK_HELD: true,
  LOCK_LOST: true,
  NOT_FOUND: true,
  NO_OP_RESTORE: true,
  PLAN_CHANGED: true,
  RATE_LIMITED: true,
  SCHEMA_MISMATCH: true,
  SOURCE_BUSY: true,
  SOURCE_UNREACHABLE: true,
  STORAGE_FULL: true,
  STORAGE_UNAVAILABLE: true,
  UNAUTHENTICATED: true,
  UNSAFE_PATH: true,
} satisfies Record<ErrorCode, true>;

function isServerCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(SERVER_CODES, code);
}

/** Whether a value is an object whose properties can be looked at. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a GraphQL answer; undefined when it is none. */
export function asGraphQLResponse(value: unknown): GraphQLResponse | undefined {
  if (!isObject(value)) return undefined;
  const { data, errors } = value;
  if (Array.isArray(errors)) return { data, errors };
  return data === undefined ? undefined : { data };
}

/** An error from what the server tells of it, wherever that stood; `otherwise` when it has no code of ours. */
function toldError(
  told: Readonly<Record<string, unknown>>,
  message: unknown,
  otherwise: RequestErrorCode,
): HoldfastRequestError {
  const { code, hint, field } = told;
  return new HoldfastRequestError(
    isServerCode(code) ? code : otherwise,
    typeof message === 'string' ? message : 'The server answered with an error.',
    {
      hint: typeof hint === 'string' ? hint : undefined,
      field: typeof field === 'string' ? field : undefined,
      cause: told,
    },
  );
}

/** The first of GraphQL's errors. `otherwise` is its code when it names none of ours. */
export function errorFrom(
  errors: readonly unknown[],
  otherwise: RequestErrorCode = 'PROTOCOL',
): HoldfastRequestError {
  const [first] = errors;
  if (!isObject(first)) return toldError({}, undefined, otherwise);
  const { message, extensions } = first;
  return toldError(isObject(extensions) ? extensions : {}, message, otherwise);
}

/** The error in an answer of the plain HTTP routes, `{ error: { code, message, hint } }`; undefined when there is none. */
export function plainErrorFrom(
  answer: unknown,
  otherwise: RequestErrorCode,
): HoldfastRequestError | undefined {
  if (!isObject(answer)) return undefined;
  const { error } = answer;
  if (!isObject(error)) return undefined;
  const { message } = error;
  return toldError(error, message, otherwise);
}

/** The error that an HTTP status alone stands for. */
export function errorFromStatus(status: number, url: string): HoldfastRequestError {
  const told = STATUS_ERRORS[status];
  if (told !== undefined) return new HoldfastRequestError(told.code, told.message, { hint: told.hint });
  if (status >= 500) {
    return new HoldfastRequestError('CONNECTION', `The server answered with HTTP status ${status}.`, {
      hint: 'It may be starting or overloaded: try again, and look into its log.',
    });
  }
  return new HoldfastRequestError('PROTOCOL', `HTTP status ${status} instead of an answer from ${url}.`, {
    hint: 'Check that the address is the one of a Holdfast server.',
  });
}

const STATUS_ERRORS: Readonly<
  Record<number, { readonly code: RequestErrorCode; readonly message: string; readonly hint?: string }>
> = {
  401: {
    code: 'UNAUTHENTICATED',
    message: 'No valid credentials came with the request.',
    hint: 'Give createClient a valid apiKey.',
  },
  403: { code: 'FORBIDDEN', message: 'The server does not allow this request.' },
  404: { code: 'NOT_FOUND', message: 'The server has nothing at this address.' },
  413: { code: 'INVALID_INPUT', message: 'The content is larger than the server takes.' },
  416: { code: 'INVALID_INPUT', message: 'The asked range lies outside the bundle.' },
  429: { code: 'RATE_LIMITED', message: 'Too many requests.', hint: 'Try again later.' },
};
