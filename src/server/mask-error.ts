/** What GraphQL callers are told of errors that are no part of a result type. */
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { HoldfastError } from '../errors.ts';
import { statusOf, tellable } from './answer.ts';
import { refusalInPlace, withoutValues } from './without-values.ts';

/** The error that a chain of GraphQL errors began with. */
function originOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? originOf(error.originalError) : error;
}

/**
 * Refusals keep their message and get `extensions { code, hint }`; GraphQL's own errors (syntax, validation) stay,
 * without what the caller sent;
 * everything else becomes INTERNAL with an id that stands in the log.
 */
export function maskError(error: unknown, log: Logger): GraphQLError {
  const origin = originOf(error);
  if (origin instanceof GraphQLError) return told(error instanceof GraphQLError ? error : origin);
  const answer = tellable(origin, log);
  const { code, hint, field } = answer;
  // Around a refusal GraphQL may have put what was refused: "Variable $x got invalid value …".
  const message =
    answer === origin && error instanceof GraphQLError
      ? refusalInPlace(error.message, answer.message)
      : answer.message;
  return withPlace(message, error, {
    code,
    ...(hint !== undefined && { hint }),
    ...(field !== undefined && { field }),
    // Counts only when there is no data at all; `spec` keeps application/json at 200.
    http: { status: statusOf(code), spec: true },
  });
}

/** An error of GraphQL itself. */
export function told(error: GraphQLError): GraphQLError {
  return withPlace(withoutValues(error.message), error, { ...error.extensions });
}

function withPlace(message: string, error: unknown, extensions: Record<string, unknown>): GraphQLError {
  if (!(error instanceof GraphQLError)) return new GraphQLError(message, { extensions });
  const { nodes, source, positions, path } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}

/** A refusal as a GraphQL error, for answers that are made without executing anything. */
export function graphqlRefusal(error: HoldfastError): GraphQLError {
  return new GraphQLError(error.message, {
    extensions: { code: error.code, ...(error.hint !== undefined && { hint: error.hint }) },
  });
}
