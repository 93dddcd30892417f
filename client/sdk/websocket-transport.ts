/** Events over a WebSocket of their own, by the graphql-transport-ws protocol. */
import { type Client, createClient } from 'graphql-ws/client';
import { type Connection, credentials } from './connection.ts';
import { HoldfastRequestError, type RequestErrorCode } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import { type EventTransport, eventIn, type RecordEvent, supersedes } from './event-stream.ts';
import { errorFrom, isObject } from './graphql-response.ts';

/** Milliseconds without a word after which the client asks whether the server is still there. */
const PING_AFTER = 10_000;
/** Milliseconds it waits for the answer before it takes the connection for dead. */
const PONG_WITHIN = 10_000;

const NORMAL_CLOSURE = 1000;
/** What close codes mean that are more than a broken connection. */
const CLOSE_ERRORS: Readonly<Record<number, readonly [RequestErrorCode, string]>> = {
  4400: ['PROTOCOL', 'The server did not understand the client.'],
  4401: ['UNAUTHENTICATED', 'The server does not accept the credentials.'],
  4403: ['UNAUTHENTICATED', 'The server does not accept the credentials.'],
  4406: ['PROTOCOL', 'The server speaks another WebSocket protocol.'],
  4429: ['RATE_LIMITED', 'Too many attempts to connect.'],
  4500: ['INTERNAL', 'The server met a fault of its own.'],
};
const BROKEN: readonly [RequestErrorCode, string] = ['CONNECTION', 'The connection to the server broke.'];

/** The code of a close event; undefined for anything else. */
function closeCode(reason: unknown): number | undefined {
  if (!isObject(reason)) return undefined;
  const { code } = reason;
  return typeof code === 'number' ? code : undefined;
}

function socketError(reason: unknown): HoldfastRequestError {
  if (Array.isArray(reason)) return errorFrom(reason);
  const [code, message] = CLOSE_ERRORS[closeCode(reason) ?? 0] ?? BROKEN;
  return new HoldfastRequestError(code, message, {
    hint: code === 'UNAUTHENTICATED' ? 'Give createClient a valid apiKey.' : undefined,
    cause: reason,
  });
}

/** The address of the GraphQL endpoint for WebSockets. */
function socketUrl({ baseUrl }: Connection): string {
  const url = new URL('graphql', baseUrl);
  url.protocol = baseUrl.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Closes the socket; one that is still connecting as soon as it has, if ever. */
function close(client: Client): void {
  // What went wrong with the connection was told to the subscription.
  client.dispose()?.catch(() => {});
}

/** One client per subscription and attempt: whoever follows decides when, and from where, to connect again. */
function connectOnce(connection: Connection, connected: () => void): Client {
  let overdue: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: socketUrl(connection),
    ...(connection.webSocket === undefined ? {} : { webSocketImpl: connection.webSocket }),
    connectionParams: credentials(connection.apiKey),
    connectionAckWaitTimeout: PONG_WITHIN,
    retryAttempts: 0,
    keepAlive: PING_AFTER,
    on: {
      connected,
      ping: (received) => {
        if (!received) overdue = setTimeout(() => client.terminate(), PONG_WITHIN);
      },
      pong: (received) => {
        if (received) clearTimeout(overdue);
      },
      closed: (event) => {
        clearTimeout(overdue);
        // It would connect again by itself, with the variables of the first time.
        if (closeCode(event) === NORMAL_CLOSURE) close(client);
      },
    },
  });
  return client;
}

/** Makes the transport that receives events over WebSockets. */
export function webSocketTransport(connection: Connection): EventTransport {
  return async function* receive({ query, variables, field }, signal, connected) {
    signal.throwIfAborted();
    const queue = new EventQueue<RecordEvent>(supersedes);
    const client = connectOnce(connection, connected);
    const unsubscribe = client.subscribe(
      { query, variables },
      {
        next: (response) => {
          try {
            queue.push(eventIn(response, field));
          } catch (error) {
            queue.fail(error);
          }
        },
        error: (reason) => queue.fail(socketError(reason)),
        complete: () => queue.complete(),
      },
    );
    const abort = (): void => queue.fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      yield* queue.values();
    } finally {
      signal.removeEventListener('abort', abort);
      unsubscribe();
      close(client);
    }
  };
}
