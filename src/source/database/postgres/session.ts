/** One connection to PostgreSQL: pinned settings, cancellable statements, COPY both ways, a sure end. */
import { Socket } from 'node:net';
import pg from 'pg';
import { abortError, throwIfAborted } from '../../../errors.ts';
import { clientConfig, mayFallBackToPlain, type PostgresAddress, tlsOptions } from './address.ts';
import { CopyOut } from './copy-out.ts';
import { feedCopy } from './feed-copy.ts';
import { type Identity, pinSession } from './pin-session.ts';
import { connectRefusal } from './refusal.ts';

/** How long to wait for the server to end a session of ours, milliseconds. */
const END_TIMEOUT_MS = 5_000;
const END_POLL_MS = 20;

/** How connections are made. */
export interface SessionOptions {
  readonly connectTimeoutMs: number;
  /** How long a statement waits for a lock unless told otherwise, milliseconds. */
  readonly lockTimeoutMs: number;
}

/** An open connection. Not for concurrent statements. */
export class PostgresSession {
  readonly #client: pg.Client;
  readonly #socket: Socket;
  readonly #address: PostgresAddress;
  readonly #options: SessionOptions;
  #identity: Identity = { pid: 0, backendStart: '', versionNumber: 0, version: '', database: '' };
  #ended: Promise<void> | undefined;
  #busy = 0;
  #lost = false;

  private constructor(client: pg.Client, socket: Socket, address: PostgresAddress, options: SessionOptions) {
    this.#client = client;
    this.#socket = socket;
    this.#address = address;
    this.#options = options;
    // Without a listener a server that goes away would end this process.
    client.on('error', () => {
      this.#lost = true;
    });
    client.on('end', () => {
      this.#lost = true;
    });
  }

  /**
   * Connects and pins the settings.
   * @throws HoldfastError SOURCE_UNREACHABLE; CANCELED.
   */
  static async open(
    address: PostgresAddress,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<PostgresSession> {
    throwIfAborted(signal);
    const ssl = await tlsOptions(address);
    let session: PostgresSession;
    try {
      session = await PostgresSession.#connect(address, ssl, options, signal);
    } catch (error) {
      throwIfAborted(signal);
      const plainMayDo = ssl !== false && mayFallBackToPlain(address) && offersNoTls(error);
      if (!plainMayDo) throw connectRefusal(error, address.user, address.database);
      try {
        session = await PostgresSession.#connect(address, false, options, signal);
      } catch (second) {
        throwIfAborted(signal);
        throw connectRefusal(second, address.user, address.database);
      }
    }
    try {
      session.#identity = await pinSession(session, options.lockTimeoutMs, signal);
    } catch (error) {
      await session.end();
      throwIfAborted(signal);
      throw connectRefusal(error, address.user, address.database);
    }
    return session;
  }

  static async #connect(
    address: PostgresAddress,
    ssl: Awaited<ReturnType<typeof tlsOptions>>,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<PostgresSession> {
    const socket = new Socket();
    const client = new pg.Client({
      ...clientConfig(address, ssl, options.connectTimeoutMs),
      stream: () => socket,
    });
    const session = new PostgresSession(client, socket, address, options);
    const onAbort = () => socket.destroy(new Error('Connection terminated: canceled'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    return session;
  }

  /** The server process behind this connection. */
  get pid(): number {
    return this.#identity.pid;
  }

  /** When that process started, microseconds, UTC; with {@link pid} it names the session for ever. */
  get backendStart(): string {
    return this.#identity.backendStart;
  }

  /** E.g. `16.4`. */
  get serverVersion(): string {
    return this.#identity.version;
  }

  /** E.g. 160004. */
  get versionNumber(): number {
    return this.#identity.versionNumber;
  }

  get database(): string {
    return this.#identity.database;
  }

  /** Whether the connection is gone. */
  get lost(): boolean {
    return this.#lost;
  }

  /**
   * Runs one statement and returns its rows. `R` is what the statement selects; the caller knows.
   * An abort ends the whole session, on the server too.
   */
  async query<R extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[],
    signal: AbortSignal,
  ): Promise<R[]> {
    throwIfAborted(signal);
    return (await this.#interruptible(() => this.#client.query<R>(text, [...values]), signal)).rows;
  }

  /** Runs statements that return nothing. Returns the tag of the last one, e.g. `COMMIT`. */
  async execute(text: string, signal: AbortSignal): Promise<string> {
    throwIfAborted(signal);
    const result: pg.QueryResult | pg.QueryResult[] = await this.#interruptible(
      () => this.#client.query(text),
      signal,
    );
    return (Array.isArray(result) ? result.at(-1) : result)?.command ?? '';
  }

  /** Runs one statement that returns nothing. The server refuses text that holds more than one. */
  async executeOne(text: string, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    // Only the simple protocol takes several statements. The types of pg do not know the setting yet.
    const config: pg.QueryConfig & { queryMode: 'extended' } = { text, queryMode: 'extended' };
    await this.#interruptible(() => this.#client.query(config), signal);
  }

  async #interruptible<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#busy += 1;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      reject(abortError(signal));
      void this.kill();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work(), aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#busy -= 1;
    }
  }

  /**
   * The row lines of `COPY (SELECT text) TO STDOUT (FORMAT binary)`, in large chunks. A caller that stops early
   * ends the session.
   */
  async *copyOut(sql: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    throwIfAborted(signal);
    const copy = this.#client.query(new CopyOut(sql));
    const onAbort = () => {
      copy.handleError(abortError(signal));
      void this.kill();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#busy += 1;
    let complete = false;
    try {
      for (;;) {
        const chunk = await copy.next();
        if (chunk === undefined) break;
        yield chunk;
      }
      complete = true;
    } catch (error) {
      if (error instanceof pg.DatabaseError) complete = true;
      throwIfAborted(signal);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#busy -= 1;
      if (!complete) void this.kill();
    }
  }

  /**
   * Feeds `COPY … FROM STDIN`; returns the number of rows the server took. When `source` fails, the session ends
   * and with it the transaction.
   */
  async copyIn(sql: string, source: AsyncIterable<Buffer>, signal: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    const onAbort = (): void => void this.kill();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#busy += 1;
    try {
      return await feedCopy(this.#client, sql, source, signal);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) void this.kill();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#busy -= 1;
    }
  }

  /** Ends the session at once, whatever it is doing, and waits (bounded) until the server let go of it. */
  kill(): Promise<void> {
    this.#ended ??= this.#kill();
    return this.#ended;
  }

  async #kill(): Promise<void> {
    this.#lost = true;
    this.#socket.destroy();
    if (this.#identity.pid === 0) return;
    // A server that computes or waits for a lock does not notice that its client is gone: tell it so.
    const signal = AbortSignal.timeout(END_TIMEOUT_MS);
    try {
      const other = await PostgresSession.open(this.#address, this.#options, signal);
      try {
        while (await other.terminate(this.#identity.pid, this.#identity.backendStart, signal)) {
          await new Promise((resolve) => setTimeout(resolve, END_POLL_MS));
        }
      } finally {
        await other.end();
      }
    } catch {
      // The server is out of reach: it ends the session itself once it notices.
    }
  }

  /** Ends another session. False when it is not there any more. */
  async terminate(pid: number, backendStart: string, signal: AbortSignal): Promise<boolean> {
    const rows = await this.query(
      `SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
        WHERE a.pid = $1 AND a.backend_start::text = $2`,
      [pid, backendStart],
      signal,
    );
    return rows.length > 0;
  }

  /** Ends the session; an open transaction is rolled back. Idempotent; never throws. */
  end(): Promise<void> {
    if (this.#busy > 0) return this.kill();
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    if (!this.#lost) {
      const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
      this.#client.end().catch(() => {});
      const timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS);
      await closed;
      clearTimeout(timer);
    }
    this.#socket.destroy();
  }
}

function offersNoTls(error: unknown): boolean {
  return error instanceof Error && /does not support SSL/.test(error.message);
}
