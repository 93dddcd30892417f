/** Events over HTTP, by the distinct connections mode of the GraphQL over SSE protocol. */
import { type Connection, responseError } from './connection.ts';
import { HoldfastRequestError } from './errors.ts';
import { type EventTransport, eventIn } from './event-stream.ts';
import { asGraphQLResponse, errorFromStatus } from './graphql-response.ts';
import { type SseMessage, sseMessages } from './sse-parser.ts';

/** Milliseconds of silence, comments included, after which the connection is taken for dead. */
const SILENCE = 45_000;

function broken(cause: unknown): HoldfastRequestError {
  return new HoldfastRequestError('CONNECTION', 'The connection to the server broke.', { cause });
}

/** The chunks of a body. The body is let go when the consumer stops, and given up when nothing comes for long. */
async function* chunks(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const silence = setTimeout(() => void reader.cancel(broken(undefined)).catch(() => {}), SILENCE);
      const { value, done } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      yield value;
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw broken(cause);
  } finally {
    // It may have failed already; there is nothing left to tell about it.
    await reader.cancel().catch(() => {});
  }
}

function parse({ data }: SseMessage): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new HoldfastRequestError('PROTOCOL', 'The server sent an event that is no JSON.', { cause });
  }
}

/** Makes the transport that receives events as server-sent events. */
export function sseTransport(connection: Connection): EventTransport {
  return async function* receive({ query, variables, field }, signal, connected) {
    const response = await connection.send(new URL('graphql', connection.baseUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query, variables }),
      signal,
    });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    // A refusal may come as a stream too: of one event, which has the errors.
    if (!isStream || response.body === null) throw await responseError(response, signal);
    if (response.ok) connected();
    for await (const message of sseMessages(chunks(response.body, signal))) {
      if (message.event === 'complete') return;
      if (message.event !== 'next') continue;
      const answer = asGraphQLResponse(parse(message));
      if (answer !== undefined) yield eventIn(answer, field);
    }
    signal.throwIfAborted();
    if (!response.ok) throw errorFromStatus(response.status, response.url);
    throw broken('The stream ended without "complete".');
  };
}
