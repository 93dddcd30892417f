/**
 * /graphql over WebSocket, protocol graphql-transport-ws. Everything goes through Yoga's own parse, validate,
 * execute and subscribe, so limits and masking are those of HTTP.
 */
import { randomUUID } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, GraphQLError, GraphQLFormattedError } from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { Actor } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import type { Authenticate } from './authenticate.ts';
import { BODY_LIMIT_BYTES, GRAPHQL_PATH, type GraphqlEndpoint } from './graphql.ts';
import { maskError } from './mask-error.ts';
import { withMaskedEnd } from './masked-iterator.ts';
import type { OperationOrigin } from './request-context.ts';

/** Milliseconds a caller may take to introduce itself. */
const INIT_WAIT_MS = 10_000;
/** Milliseconds between pings; a socket that does not answer within as long is cut. */
const KEEP_ALIVE_MS = 12_000;
/** Milliseconds sockets get to say goodbye when the server stops. */
const GOODBYE_MS = 1_000;

/** Close codes that clients do not retry. */
const UNAUTHORIZED = 4401;
const TOO_MANY_TRIES = 4429;

/** What a socket is known by. */
type Connection = Extra & {
  actor?: Actor;
  /** Aborted when the socket closes. */
  closed?: AbortController;
};

/** What the WebSocket side needs of the server. */
export interface WebSocketParts {
  readonly yoga: GraphqlEndpoint;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  isAllowedHost(header: string | undefined): boolean;
}

/** The end of the WebSocket side. */
export interface WebSocketEnd {
  /** Closes every socket with 1001. */
  close(): Promise<void>;
}

/** Yoga's functions, as an operation's arguments carry them. */
type EnvelopedArgs = ExecutionArgs &
  Pick<ReturnType<GraphqlEndpoint['getEnveloped']>, 'execute' | 'subscribe'>;

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0] ?? '/';
}

/** The credentials: of the connection's parameters, else of the upgrade request. */
function authorizationOf(params: Record<string, unknown> | undefined, request: IncomingMessage) {
  const { authorization, Authorization } = params ?? {};
  const given = authorization ?? Authorization;
  return typeof given === 'string' ? given : request.headers.authorization;
}

/** Errors without what they say to the HTTP face about status codes. */
function withoutHttp(error: GraphQLError | GraphQLFormattedError): GraphQLFormattedError {
  const { extensions, ...formatted } = 'toJSON' in error ? error.toJSON() : error;
  if (extensions === undefined) return formatted;
  const { http: _status, ...rest } = extensions;
  return { ...formatted, extensions: rest };
}

function operationOptions({
  yoga,
  authenticate,
  log,
  stopping,
}: WebSocketParts): ServerOptions<Record<string, unknown>, Connection> {
  return {
    connectionInitWaitTimeout: INIT_WAIT_MS,

    async onConnect({ connectionParams, extra }) {
      const address = extra.request.socket.remoteAddress ?? '';
      try {
        extra.actor = await authenticate(authorizationOf(connectionParams, extra.request), address);
        extra.closed = new AbortController();
        return true;
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        const code = error.code === 'RATE_LIMITED' ? TOO_MANY_TRIES : UNAUTHORIZED;
        // Closed here, since a refusal by `false` would be 4403, which clients retry for ever.
        extra.socket.close(code, error.code);
        return false;
      }
    },

    onClose({ extra }) {
      extra.closed?.abort();
    },

    async onSubscribe({ extra }, _id, { query, operationName, variables, extensions }) {
      const { actor, closed } = extra;
      if (actor === undefined || closed === undefined) throw new Error('not connected');
      const origin: OperationOrigin = {
        actor,
        requestId: randomUUID(),
        signal: AbortSignal.any([closed.signal, stopping]),
      };
      log.debug({ requestId: origin.requestId, member: actor.name, operationName }, 'WebSocket operation');
      const params = { query, operationName, variables, extensions };
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...origin,
        params,
      });
      try {
        const document = parse(query);
        const errors = validate(schema, document);
        if (errors.length > 0) return errors;
        const args: EnvelopedArgs = {
          schema,
          document,
          operationName: operationName ?? null,
          variableValues: variables ?? null,
          contextValue: await contextFactory(),
          execute,
          subscribe,
        };
        return args;
      } catch (error) {
        return [maskError(error, log)];
      }
    },

    // The arguments are those that onSubscribe made.
    execute: (args) => (args as EnvelopedArgs).execute(args),
    subscribe: async (args) =>
      withMaskedEnd(await (args as EnvelopedArgs).subscribe(args), (error) => maskError(error, log)),

    onNext: (_context, _id, _payload, _args, { data, errors }) =>
      errors === undefined
        ? undefined
        : { ...(data !== undefined && { data }), errors: errors.map(withoutHttp) },
    onError: (_context, _id, _payload, errors) => errors.map(withoutHttp),
  };
}

/** Serves WebSockets on an HTTP server. */
export function attachWebSocket(http: HttpServer, parts: WebSocketParts): WebSocketEnd {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: BODY_LIMIT_BYTES });
  const served = useServer(operationOptions(parts), sockets, KEEP_ALIVE_MS);

  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (parts.stopping.aborted) return refuseUpgrade(socket, '503 Service Unavailable');
    if (!parts.isAllowedHost(request.headers.host)) return refuseUpgrade(socket, '421 Misdirected Request');
    if (pathOf(request) !== GRAPHQL_PATH) return refuseUpgrade(socket, '404 Not Found');
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.emit('connection', webSocket, request);
    });
  });

  return {
    async close() {
      const late = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
      }, GOODBYE_MS);
      await served.dispose();
      clearTimeout(late);
    },
  };
}
