/** Yoga, set up once for HTTP, SSE and WebSocket. */
import { GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { SchemaContext } from '../schema/context.ts';
import { schema } from '../schema/index.ts';
import { graphiqlOptions } from './graphiql.ts';
import { limitOperations } from './limits.ts';
import { maskError, told } from './mask-error.ts';
import type { ServerParts } from './parts.ts';
import { type OperationOrigin, schemaContext } from './request-context.ts';

/** Bytes the body of one GraphQL request may have. */
export const BODY_LIMIT_BYTES = 1_000_000;

/** Path of the API. */
export const GRAPHQL_PATH = '/graphql';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** What validation finds is answered without masking. */
const hideValues: Plugin = {
  onValidate:
    () =>
    ({ result, setResult }) =>
      setResult(result.map((error) => (error instanceof GraphQLError ? told(error) : error))),
};

/** Makes the GraphQL endpoint. `publicUrl` is asked when an operation begins: the port may not be known before. */
export function createGraphql(parts: ServerParts, publicUrl: () => string) {
  return createYoga<OperationOrigin, SchemaContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: (origin) => schemaContext(parts, publicUrl(), origin),
    maskedErrors: { maskError: (error) => maskError(error, parts.log) },
    plugins: [limitOperations, hideValues],
    graphiql: parts.config.development ? graphiqlOptions : false,
    // The page with its scripts inside: people type their API key there, so none may come from elsewhere. Read
    // when it is asked for: it takes 40 MB.
    renderGraphiQL: async (options) =>
      (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    landingPage: false,
    multipart: false,
    cors: false,
    maxRequestBodySize: BODY_LIMIT_BYTES,
    // Its caches hold a thousand documents of any size; parsing costs less than that.
    parserAndValidationCache: false,
    // Masked errors are logged where they are masked.
    logging: silent,
    // Node's own classes, so that an answer can be piped by Node and is cancelled with its connection.
    fetchAPI: { Request, Response, Headers, ReadableStream },
  });
}

/** The endpoint. */
export type GraphqlEndpoint = ReturnType<typeof createGraphql>;
