/** How the client says that something did not work. */
import type { ErrorCode } from './generated/graphql.ts';

/**
 * A code of the server, or one of the client's own: CONNECTION when the server could not be reached or the
 * connection broke, PROTOCOL when what answered does not speak as a Holdfast server does.
 */
export type RequestErrorCode = ErrorCode | 'CONNECTION' | 'PROTOCOL';

/** What an error may carry besides code and message. */
export interface RequestErrorDetails {
  /** What the reader can do about it. */
  readonly hint?: string | undefined;
  /** The input field at fault, as a dotted path. */
  readonly field?: string | undefined;
  readonly cause?: unknown;
}

/** A request that was refused, or that could not be made. */
export class HoldfastRequestError extends Error {
  override readonly name: string = 'HoldfastRequestError';
  readonly code: RequestErrorCode;
  readonly hint: string | undefined;
  readonly field: string | undefined;

  constructor(code: RequestErrorCode, message: string, details: RequestErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.field = details.field;
  }
}

/** The members of a result union that say why nothing was done. */
interface Refusal {
  readonly __typename: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly field?: string | null;
}

function isRefusal(result: object): result is Refusal {
  return 'code' in result && 'message' in result && 'hint' in result;
}

/**
 * The payload of a result union.
 *
 * @throws {HoldfastRequestError} when the result is a refusal; it carries the refusal's code, message and hint.
 */
export function unwrap<TResult extends { readonly __typename: string }>(
  result: TResult,
): Exclude<TResult, { readonly code: ErrorCode }> {
  if (isRefusal(result)) {
    throw new HoldfastRequestError(result.code, result.message, {
      hint: result.hint ?? undefined,
      field: result.field ?? undefined,
    });
  }
  // Every refusal has the three fields looked for above and no payload has them, which the compiler cannot know.
  return result as Exclude<TResult, { readonly code: ErrorCode }>;
}
