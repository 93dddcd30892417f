/** /graphql over HTTP: who asks, what may be sent, then Yoga; its answer is piped with backpressure. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Actor } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { setRefusalHeaders, statusOf } from './answer.ts';
import { closeIfUnread } from './drain.ts';
import type { GraphqlEndpoint } from './graphql.ts';
import { graphqlRefusal } from './mask-error.ts';
import type { OperationOrigin } from './request-context.ts';

/** A browser sends these cross-site only after asking, and it is told no: that keeps forged requests out. */
const REQUEST_TYPES = ['application/json', 'application/graphql-response+json'];

const ANSWER_TYPE = 'application/graphql-response+json';

/** Sends a refusal in the form of a GraphQL answer. */
export function sendGraphqlError(
  response: ServerResponse,
  error: HoldfastError,
  status = statusOf(error.code),
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  setRefusalHeaders(response, error.code);
  closeIfUnread(response.req, response);
  const accepted = response.req.headers.accept ?? '';
  const type = accepted.includes(ANSWER_TYPE) ? ANSWER_TYPE : 'application/json';
  response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8` });
  response.end(JSON.stringify({ errors: [graphqlRefusal(error)] }));
}

/** True for a browser that wants the page of GraphiQL, which holds no data and needs no key. */
export function asksForPage({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && (headers.accept ?? '').includes('text/html');
}

/** The status and the words for a request that is no GraphQL request; undefined when it may be one. */
function misfit({ method, headers }: IncomingMessage): [number, HoldfastError] | undefined {
  if (method !== 'GET' && method !== 'POST') {
    const hint = 'Send queries by GET or POST, mutations by POST.';
    return [405, new HoldfastError('INVALID_INPUT', `${method} is not answered here.`, { hint })];
  }
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (method === 'POST' && (type === undefined || !REQUEST_TYPES.includes(type))) {
    const hint = 'Send the operation as JSON with "Content-Type: application/json".';
    return [415, new HoldfastError('INVALID_INPUT', 'The body is not application/json.', { hint })];
  }
  return undefined;
}

function toHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // Names that begin with a colon belong to HTTP/2.
    if (value !== undefined && !name.startsWith(':')) headers.set(name, [value].flat().join(', '));
  }
  return headers;
}

async function sendFetched(fetched: Response, response: ServerResponse, signal: AbortSignal): Promise<void> {
  // Node itself says what becomes of the connection.
  fetched.headers.delete('connection');
  closeIfUnread(response.req, response);
  response.setHeaders(fetched.headers);
  response.writeHead(fetched.status);
  if (fetched.body === null) {
    response.end();
    return;
  }
  // The type of the web's streams and that of Node's are one class with two declarations.
  const body = Readable.fromWeb(fetched.body as NodeReadableStream<Uint8Array>);
  await pipeline(body, response, { signal });
}

/** Answers one request; rejects with what went wrong before an answer began. */
export async function answerGraphql(
  yoga: GraphqlEndpoint,
  authenticate: () => Promise<Actor>,
  request: IncomingMessage,
  response: ServerResponse,
  {
    url,
    requestId,
    signal,
    development,
  }: {
    readonly url: URL;
    readonly requestId: string;
    readonly signal: AbortSignal;
    readonly development: boolean;
  },
): Promise<Actor | undefined> {
  if (development && asksForPage(request)) {
    // Yoga answers with the page before it would look at the context.
    const nobody: Actor = { workspaceId: '', name: '', role: 'VIEWER' };
    const page = await yoga.fetch(
      url,
      { headers: { accept: 'text/html' } },
      { actor: nobody, requestId, signal },
    );
    response.removeHeader('Content-Security-Policy');
    await sendFetched(page, response, signal);
    return undefined;
  }
  const actor = await authenticate();
  const refused = misfit(request);
  if (refused !== undefined) {
    const [status, error] = refused;
    if (status === 405) response.setHeader('Allow', 'GET, POST');
    sendGraphqlError(response, error, status);
    return actor;
  }
  const origin: OperationOrigin = { actor, requestId, signal };
  const fetched = await yoga.fetch(
    url,
    {
      method: request.method ?? 'GET',
      headers: toHeaders(request),
      // Same class, two declarations; see above.
      ...(request.method === 'POST' && { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' }),
    },
    origin,
  );
  await sendFetched(fetched, response, signal);
  return actor;
}
