/** Where the server is and how to talk to it: what every part of the client shares. */
import { HoldfastRequestError } from './errors.ts';
import type { TypedDocumentString } from './generated/graphql.ts';
import {
  asGraphQLResponse,
  errorFrom,
  errorFromStatus,
  isObject,
  plainErrorFrom,
} from './graphql-response.ts';

/** What a client is made from. */
export interface ClientOptions {
  /** Where the server is, for example "http://127.0.0.1:4000". */
  readonly url: string;
  /** The API key that says who asks. Left out, the browser's cookies do. */
  readonly apiKey?: string | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Used instead of the global `WebSocket`. */
  readonly webSocket?: typeof WebSocket | undefined;
}

/** The server as the parts of the client reach it. */
export interface Connection {
  /** The server's address, ending with a slash. */
  readonly baseUrl: URL;
  readonly apiKey: string | undefined;
  readonly webSocket: typeof WebSocket | undefined;
  /**
   * Makes an HTTP request with the credentials.
   * @throws {HoldfastRequestError} CONNECTION when there is no answer; the signal's reason when it was aborted.
   */
  send(url: URL, init: RequestInit): Promise<Response>;
}

/** What can be said about one request. */
export interface RequestOptions {
  /** Gives the request up. */
  readonly signal?: AbortSignal | undefined;
}

/** The credentials as an HTTP header, or as WebSocket connection parameters. */
export function credentials(apiKey: string | undefined): { authorization?: string } {
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
}

/** @throws {TypeError} when `url` is no URL. */
export function openConnection({ url, apiKey, fetch: given, webSocket }: ClientOptions): Connection {
  const baseUrl = new URL(url.endsWith('/') ? url : `${url}/`);
  return {
    baseUrl,
    apiKey,
    webSocket,
    async send(target, init) {
      const headers = new Headers(init.headers);
      const { authorization } = credentials(apiKey);
      // Signed links lead wherever the server says; the key goes to the server alone.
      if (authorization !== undefined && target.origin === baseUrl.origin) {
        headers.set('authorization', authorization);
      }
      try {
        // Looked up late, so that a global replaced later (by a test or a polyfill) is used.
        return await (given ?? globalThis.fetch)(target, { ...init, headers });
      } catch (cause) {
        if (init.signal?.aborted) throw init.signal.reason;
        throw new HoldfastRequestError('CONNECTION', `The server at ${baseUrl.origin} does not answer.`, {
          hint: 'Check that it runs and that the address is right.',
          cause,
        });
      }
    },
  };
}

async function readJson(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return JSON.parse(await response.text());
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof SyntaxError) return undefined;
    throw new HoldfastRequestError('CONNECTION', 'The connection broke while the answer was read.', {
      cause,
    });
  }
}

/**
 * The error that a response with an unwanted status or type stands for; uses up its body.
 * @throws when the answer cannot be read, as `send` does.
 */
export async function responseError(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<HoldfastRequestError> {
  const answer = await readJson(response, signal);
  const byStatus = errorFromStatus(response.status, response.url);
  const errors = asGraphQLResponse(answer)?.errors;
  if (errors !== undefined) return errorFrom(errors, byStatus.code);
  return plainErrorFrom(answer, byStatus.code) ?? byStatus;
}

/**
 * Executes one operation.
 * @throws {HoldfastRequestError} when the server refuses it, cannot be reached, or is no Holdfast server.
 */
export async function execute<TResult, TVariables>(
  connection: Connection,
  document: TypedDocumentString<TResult, TVariables>,
  variables: TVariables,
  { signal }: RequestOptions = {},
): Promise<TResult> {
  const response = await connection.send(new URL('graphql', connection.baseUrl), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
    },
    body: JSON.stringify({ query: document.toString(), variables }),
    signal: signal ?? null,
  });
  const answer = await readJson(response, signal);
  const { data, errors } = asGraphQLResponse(answer) ?? {};
  const byStatus = errorFromStatus(response.status, response.url);
  if (errors !== undefined) throw errorFrom(errors, byStatus.code);
  if (!response.ok || !isObject(data)) throw plainErrorFrom(answer, byStatus.code) ?? byStatus;
  // The server executed this very document, so its data has the type the document was generated with.
  return data as TResult;
}
