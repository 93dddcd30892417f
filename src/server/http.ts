/** The server: routes, request ids, access log, and an orderly end. */
import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Actor } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { isAllowedHost } from './allowed-host.ts';
import { sendError, tellable } from './answer.ts';
import { type Authenticate, createAuthenticate } from './authenticate.ts';
import { sendDownload } from './download.ts';
import { drain } from './drain.ts';
import { sendEntry, unlockOfRequest } from './entry-download.ts';
import { createGraphql, GRAPHQL_PATH, type GraphqlEndpoint } from './graphql.ts';
import { answerGraphql, sendGraphqlError } from './graphql-http.ts';
import { sendHealth, sendReadiness } from './health.ts';
import { KIT_DOWNLOAD_PATH, sendKit } from './kit-download.ts';
import type { ServerParts } from './parts.ts';
import { loggedPath, requestUrl } from './request-target.ts';
import { isEntryLink, openLink } from './signed-link.ts';
import { receiveUpload } from './upload.ts';
import { attachWebSocket, type WebSocketEnd } from './websocket.ts';

/** Milliseconds that answers under way get to end when the server stops. */
const GRACE_MS = 5_000;

const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
};

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** Without a slash at the end. */
  readonly url: string;
}

/** A server, not yet listening. */
export interface Server {
  /**
   * Begins to answer. Port 0 takes any free one.
   * @throws {HoldfastError} INVALID_INPUT when the address cannot be listened on
   */
  listen(host: string, port: number): Promise<ServerAddress>;
  /**
   * Takes no new callers, ends subscriptions and sockets, lets short answers end, then closes every connection.
   * Idempotent. The engine and the catalog are the caller's to close, afterwards.
   */
  close(): Promise<void>;
}

/** One request on its way through the routes. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly requestId: string;
  readonly signal: AbortSignal;
  actor: Actor | undefined;
}

/** The caller's own request id when it is a sane one, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

class HoldfastServer implements Server {
  readonly #parts: ServerParts;
  readonly #http: HttpServer;
  readonly #yoga: GraphqlEndpoint;
  readonly #authenticate: Authenticate;
  readonly #webSocket: WebSocketEnd;
  readonly #stopping = new AbortController();
  #publicUrl: string;
  #closing: Promise<void> | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#publicUrl = (parts.config.publicUrl ?? 'http://localhost').replace(/\/+$/, '');
    this.#authenticate = createAuthenticate(parts.identity);
    this.#yoga = createGraphql(parts, () => this.#publicUrl);
    this.#http = createHttpServer((request, response) => {
      // Nothing of one request may end the process, which an unhandled rejection does.
      this.#answer(request, response).catch((error: unknown) => {
        parts.log.error({ err: error }, 'a request could not be answered');
        response.destroy();
      });
    });
    // A bundle may take hours to arrive; stalled transfers are broken off by their own routes.
    this.#http.requestTimeout = 0;
    this.#webSocket = attachWebSocket(this.#http, {
      yoga: this.#yoga,
      authenticate: this.#authenticate,
      log: parts.log,
      stopping: this.#stopping.signal,
      isAllowedHost: (host) => isAllowedHost(host, this.#publicUrl),
    });
  }

  async listen(host: string, port: number): Promise<ServerAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => {
        this.#http.off('error', reject);
        resolve();
      });
    }).catch((cause: unknown) => {
      throw new HoldfastError('INVALID_INPUT', `The server cannot listen on ${host}, port ${port}.`, {
        hint: 'Choose another port, or stop the program that has this one.',
        cause,
      });
    });
    // A server that listens on TCP has an address of this kind.
    const address = this.#http.address() as AddressInfo;
    const reachable = { '0.0.0.0': 'localhost', '::': 'localhost' }[address.address] ?? address.address;
    const url = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${address.port}`;
    if (this.#parts.config.publicUrl === null) this.#publicUrl = url;
    return { host: address.address, port: address.port, url };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#stopping.abort(new HoldfastError('CANCELED', 'The server is stopping.'));
    await this.#webSocket.close();
    this.#http.closeIdleConnections();
    const force = setTimeout(() => this.#http.closeAllConnections(), GRACE_MS);
    await closed;
    clearTimeout(force);
    await this.#yoga.dispose();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const requestId = requestIdOf(request);
    response.setHeader('X-Request-Id', requestId);
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const url = requestUrl(request.url, this.#publicUrl);
    const actor = url
      ? await this.#answerUrl({ request, response, url, requestId, signal: gone.signal, actor: undefined })
      : refuseTarget(response);
    drain(request);
    this.#parts.log.info(
      {
        requestId,
        method: request.method,
        path: loggedPath(url),
        status: response.statusCode,
        durationMs: Math.round(performance.now() - startedAt),
        ...(actor && { member: actor.name }),
        ...(!response.writableFinished && gone.signal.aborted && { brokenOff: true }),
      },
      'request',
    );
  }

  /** Resolves to who asked, as far as the route has found out. */
  async #answerUrl(exchange: Exchange): Promise<Actor | undefined> {
    try {
      await this.#route(exchange);
    } catch (error) {
      this.#refuse(exchange, error);
    }
    return exchange.actor;
  }

  #refuse({ response, url, requestId, signal }: Exchange, error: unknown): void {
    // Whoever is gone needs no answer, and that it is gone is no fault of ours.
    if (signal.aborted || this.#stopping.signal.aborted) {
      response.destroy();
      return;
    }
    const told = tellable(error, this.#parts.log.child({ requestId }));
    if (url.pathname === GRAPHQL_PATH) sendGraphqlError(response, told);
    else sendError(response, told);
  }

  async #route(exchange: Exchange): Promise<void> {
    const { request, response, url } = exchange;
    const { pathname } = url;
    if (!isAllowedHost(request.headers.host, this.#publicUrl)) {
      const error = new HoldfastError(
        'FORBIDDEN',
        'This server is not known by the name in the Host header.',
        {
          hint: 'Use its address, or set the public URL to the name it is reached by.',
        },
      );
      sendError(response, error, 421);
      return;
    }
    if (pathname === GRAPHQL_PATH) return this.#graphql(exchange);
    const reading = request.method === 'GET' || request.method === 'HEAD';
    if (pathname === '/health') return allow(reading, 'GET, HEAD', response, () => sendHealth(response));
    if (pathname === '/ready') {
      return allow(reading, 'GET, HEAD', response, () => sendReadiness(this.#parts, response));
    }
    if (pathname.startsWith(KIT_DOWNLOAD_PATH)) {
      return allow(reading, 'GET, HEAD', response, () => this.#kitDownload(exchange));
    }
    if (pathname.startsWith('/download/')) {
      return this.#download(exchange, reading);
    }
    if (pathname === '/upload') {
      return allow(request.method === 'POST', 'POST', response, () => this.#upload(exchange));
    }
    throw new HoldfastError('NOT_FOUND', 'There is nothing here.', {
      hint: 'The API is at /graphql; see docs/api.md.',
    });
  }

  async #graphql(exchange: Exchange): Promise<void> {
    const { request, response, url, requestId } = exchange;
    exchange.actor = await answerGraphql(this.#yoga, () => this.#caller(request), request, response, {
      url,
      requestId,
      // Subscriptions end with the server, too.
      signal: AbortSignal.any([exchange.signal, this.#stopping.signal]),
      development: this.#parts.config.development,
    });
  }

  async #upload(exchange: Exchange): Promise<void> {
    const { request, response, url, signal } = exchange;
    exchange.actor = await this.#caller(request);
    await receiveUpload(this.#parts, exchange.actor, request, response, url, signal);
  }

  async #download(exchange: Exchange, reading: boolean): Promise<void> {
    const { request, response, url, signal } = exchange;
    const token = url.pathname.slice('/download/'.length);
    const target = openLink(this.#parts.linkKey, token, new Date());
    if (!isEntryLink(target)) {
      return allow(reading, 'GET, HEAD', response, () =>
        sendDownload(this.#parts, request, response, target, signal),
      );
    }
    const unlocking = request.method === 'POST';
    await allow(reading || unlocking, 'GET, HEAD, POST', response, async () => {
      if (unlocking) exchange.actor = await this.#caller(request);
      const unlock = exchange.actor && (await unlockOfRequest(exchange.actor, target, request));
      await sendEntry(this.#parts, request, response, target, signal, unlock);
    });
  }

  #kitDownload({ request, response, url, signal }: Exchange): Promise<void> {
    const token = url.pathname.slice(KIT_DOWNLOAD_PATH.length);
    return sendKit(this.#parts, request, response, token, signal);
  }

  #caller(request: IncomingMessage): Promise<Actor> {
    return this.#authenticate(request.headers.authorization, request.socket.remoteAddress ?? '');
  }
}

/** Answers a request whose target is no address; what it says is not repeated, for it may hold a token. */
function refuseTarget(response: ServerResponse): undefined {
  const hint = 'Ask for a path that begins with one slash, e.g. /graphql.';
  sendError(response, new HoldfastError('INVALID_INPUT', 'The request asks for no valid address.', { hint }));
}

/** Runs a route, or says which methods it has. */
async function allow(
  allowed: boolean,
  methods: string,
  response: ServerResponse,
  run: () => void | Promise<void>,
): Promise<void> {
  if (allowed) {
    await run();
    return;
  }
  response.setHeader('Allow', methods);
  const error = new HoldfastError('INVALID_INPUT', `Only ${methods} is answered here.`);
  sendError(response, error, 405);
}

/** Makes the server of the API, of downloads and of uploads. */
export function createServer(parts: ServerParts): Server {
  return new HoldfastServer(parts);
}
