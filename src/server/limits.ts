/** Bounds of one operation: tokens, depth, complexity. Checked before anything is executed or subscribed to. */
import { complexityFromQuery } from '@pothos/plugin-complexity';
import { type DocumentNode, GraphQLError, type GraphQLSchema, Kind, parse } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** The bounds, as docs/api.md has them. */
export const LIMITS = { tokens: 5_000, depth: 15, complexity: 20_000 } as const;

function onlyOperation(document: DocumentNode, name: string | null | undefined): DocumentNode {
  return {
    ...document,
    definitions: document.definitions.filter(
      (definition) =>
        definition.kind !== Kind.OPERATION_DEFINITION || !name || definition.name?.value === name,
    ),
  };
}

function refusal(what: string, hint: string): GraphQLError {
  // The shape that maskError gives to refusals; it is not asked about results made here.
  return new GraphQLError(what, {
    extensions: { code: 'INVALID_INPUT', hint, http: { status: 400, spec: true } },
  });
}

interface Operation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Record<string, unknown> | null | undefined;
  readonly contextValue?: unknown;
}

/** The refusal of an operation that is too deep or too complex; undefined when it is neither. */
export function exceededLimit(operation: Operation): GraphQLError | undefined {
  const { schema, document, operationName, variableValues, contextValue } = operation;
  let cost: { depth: number; complexity: number };
  try {
    cost = complexityFromQuery(onlyOperation(document, operationName), {
      schema,
      ctx: contextValue ?? {},
      variables: variableValues ?? {},
    });
  } catch (error) {
    // Wrong variables, an unknown operation: execution says so in its own words.
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
  if (cost.depth > LIMITS.depth) {
    return refusal(
      `The operation is ${cost.depth} levels deep; the limit is ${LIMITS.depth}.`,
      'Ask for less at once, and for inner objects by their ids.',
    );
  }
  if (cost.complexity > LIMITS.complexity) {
    return refusal(
      `The operation has a complexity of ${cost.complexity}; the limit is ${LIMITS.complexity}.`,
      'Ask for smaller pages (first, last) or fewer fields within lists.',
    );
  }
  return undefined;
}

/** Applies the bounds to every operation, over HTTP and WebSocket alike. */
export const limitOperations: Plugin = {
  onParse({ setParseFn }) {
    setParseFn((source, options) => parse(source, { ...options, maxTokens: LIMITS.tokens }));
  },
  onExecute({ args, setResultAndStopExecution }) {
    const error = exceededLimit(args);
    if (error !== undefined) setResultAndStopExecution({ errors: [error] });
  },
  onSubscribe({ args, setResultAndStopExecution }) {
    const error = exceededLimit(args);
    if (error !== undefined) setResultAndStopExecution({ errors: [error] });
  },
};
