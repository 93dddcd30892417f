/** One connection to MariaDB or MySQL: pinned settings, cancellable statements, rows as bytes, a sure end. */
import { Readable } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { type Connection, createConnection, SqlError } from 'mariadb';
import { abortError, HoldfastError, throwIfAborted } from '../../../errors.ts';
import { type MariadbAddress, tlsOptions } from './address.ts';
import { connectionLost, connectRefusal } from './refusal.ts';
import { limits, PINNED } from './session-settings.ts';

/** How long to wait for the server to end a session of ours, milliseconds. */
const END_TIMEOUT_MS = 5_000;
const END_POLL_MS = 20;
/** The name under which LOAD DATA asks for the rows; it is no file. */
export const ROWS_FILE = 'holdfast-rows';

/** How connections are made. */
export interface SessionOptions {
  readonly connectTimeoutMs: number;
  /** How long a statement waits for a lock unless told otherwise, milliseconds; whole seconds count. */
  readonly lockTimeoutMs: number;
}

/** What a statement did that returns no rows. */
export interface Effect {
  readonly affectedRows: number;
  readonly warnings: number;
}

/** A row as text. */
export type TextRow = readonly (string | null)[];

/** An open connection. Not for concurrent statements. */
export class MariadbSession {
  readonly #connection: Connection;
  readonly #address: MariadbAddress;
  readonly #options: SessionOptions;
  readonly #infile: { rows: Buffer | undefined };
  #identity: { id: string; version: string; isMariadb: boolean } = { id: '', version: '', isMariadb: true };
  #ended: Promise<void> | undefined;
  #lost = false;

  private constructor(
    connection: Connection,
    address: MariadbAddress,
    options: SessionOptions,
    infile: { rows: Buffer | undefined },
  ) {
    this.#connection = connection;
    this.#address = address;
    this.#options = options;
    this.#infile = infile;
    // Without a listener a server that goes away would end this process.
    connection.on('error', () => {
      this.#lost = true;
    });
    connection.on('end', () => {
      this.#lost = true;
    });
  }

  /**
   * Connects and pins the settings.
   * @throws HoldfastError SOURCE_UNREACHABLE; CANCELED.
   */
  static async open(
    address: MariadbAddress,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<MariadbSession> {
    throwIfAborted(signal);
    const ssl = await tlsOptions(address);
    try {
      return await MariadbSession.#connect(address, ssl, options, signal);
    } catch (error) {
      throwIfAborted(signal);
      if (ssl === false || address.sslMode !== 'PREFERRED' || !offersNoTls(error)) {
        throw connectRefusal(error, address.user, address.database);
      }
    }
    try {
      return await MariadbSession.#connect(address, false, options, signal);
    } catch (error) {
      throwIfAborted(signal);
      throw connectRefusal(error, address.user, address.database);
    }
  }

  static async #connect(
    address: MariadbAddress,
    ssl: Awaited<ReturnType<typeof tlsOptions>>,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<MariadbSession> {
    const infile: { rows: Buffer | undefined } = { rows: undefined };
    const connection = await createConnection({
      ...(address.socket === undefined
        ? { host: address.host, port: address.port }
        : { socketPath: address.socket }),
      user: address.user,
      password: address.password,
      database: address.database,
      // The driver hands everything on to node:tls, also what its types do not name.
      ssl: ssl as SecureContextOptions | false,
      connectTimeout: options.connectTimeoutMs,
      keepAliveDelay: 10_000,
      charset: 'utf8mb4',
      connectAttributes: { program_name: 'holdfast' },
      rowsAsArray: true,
      checkDuplicate: false,
      // Values never pass through numbers or dates.
      typeCast: (field) => field.string(),
      permitLocalInfile: true,
      infileStreamFactory: () => Readable.from(infile.rows === undefined ? [] : [infile.rows]),
      // Statements are messages of ours and may hold values.
      logParam: false,
    });
    const session = new MariadbSession(connection, address, options, infile);
    try {
      await session.#pin(signal);
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  async #pin(signal: AbortSignal): Promise<void> {
    const seconds = Math.max(1, Math.ceil(this.#options.lockTimeoutMs / 1_000));
    const [row] = await this.query('SELECT CONNECTION_ID(), VERSION()', signal);
    const version = row?.[1] ?? '';
    const isMariadb = /mariadb/i.test(version);
    this.#identity = { id: row?.[0] ?? '', version: version.replace(/-.*$/, ''), isMariadb };
    const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
    if (isMariadb ? major < 10 || (major === 10 && minor < 6) : major < 8) {
      throw new HoldfastError(
        'SOURCE_UNREACHABLE',
        `${isMariadb ? 'MariaDB' : 'MySQL'} ${this.#identity.version} is too old: MariaDB 10.6 and MySQL 8.0 are the oldest that are supported.`,
        {
          hint: 'Upgrade the server. Older ones cannot replace several tables in one step that survives a crash.',
        },
      );
    }
    for (const sql of limits(seconds, isMariadb)) await this.execute(sql, signal);
    await this.repin(signal);
  }

  /** Sets what statements of a schema may have changed back to what every statement of ours relies on. */
  async repin(signal: AbortSignal): Promise<void> {
    for (const sql of PINNED) await this.execute(sql, signal);
  }

  /** Of the connection, as the server counts them. */
  get id(): string {
    return this.#identity.id;
  }

  /** E.g. `10.11.19`. */
  get serverVersion(): string {
    return this.#identity.version;
  }

  /** False for MySQL. */
  get isMariadb(): boolean {
    return this.#identity.isMariadb;
  }

  get database(): string {
    return this.#address.database;
  }

  /** Whether the connection is gone. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Runs one statement and returns its rows as text. An abort ends the whole session, on the server too. */
  async query(sql: string, signal: AbortSignal): Promise<TextRow[]> {
    throwIfAborted(signal);
    // rowsAsArray and typeCast make every result set rows of text.
    return (await this.#interruptible(() => this.#connection.query(sql), signal)) as TextRow[];
  }

  /** Runs one statement that returns no rows. */
  async execute(sql: string, signal: AbortSignal): Promise<Effect> {
    throwIfAborted(signal);
    const result: unknown = await this.#interruptible(() => this.#connection.query(sql), signal);
    return effectOf(result);
  }

  /** Runs a `LOAD DATA LOCAL INFILE` statement that names {@link ROWS_FILE}, with `rows` as the file. */
  async loadFile(sql: string, rows: Buffer, signal: AbortSignal): Promise<Effect> {
    throwIfAborted(signal);
    this.#infile.rows = rows;
    try {
      const result: unknown = await this.#interruptible(() => this.#connection.query(sql), signal);
      return effectOf(result);
    } finally {
      this.#infile.rows = undefined;
    }
  }

  /** The rows of a query, each an array of bytes, as they arrive. A caller that stops early ends the session. */
  async *stream(sql: string, signal: AbortSignal): AsyncGenerator<readonly (Buffer | null)[]> {
    throwIfAborted(signal);
    // The driver fails with a TypeError of its own when a stream is asked for on a connection that is gone.
    if (!this.#connection.isValid()) throw connectionLost();
    const stream = this.#connection.queryStream({ sql, typeCast: (field) => field.buffer() });
    const onAbort = () => {
      stream.destroy(abortError(signal));
      void this.kill();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    let complete = false;
    try {
      for await (const row of stream) {
        // rowsAsArray and this statement's typeCast make every row an array of buffers.
        yield row as (Buffer | null)[];
      }
      complete = true;
    } catch (error) {
      throwIfAborted(signal);
      throw withoutStatement(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (!complete) void this.kill();
    }
  }

  async #interruptible<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      reject(abortError(signal));
      void this.kill();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work(), aborted]);
    } catch (error) {
      throw withoutStatement(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the session at once, whatever it is doing, and waits (bounded) until the server let go of it. */
  kill(): Promise<void> {
    this.#ended ??= this.#kill();
    return this.#ended;
  }

  async #kill(): Promise<void> {
    this.#lost = true;
    this.#connection.destroy();
    if (this.#identity.id === '') return;
    // A server that computes or waits for a lock does not notice that its client is gone: tell it so.
    const signal = AbortSignal.timeout(END_TIMEOUT_MS);
    try {
      const other = await MariadbSession.open(this.#address, this.#options, signal);
      try {
        await other.terminate(this.#identity.id, signal);
      } finally {
        await other.end();
      }
    } catch {
      // The server is out of reach: it ends the session itself once it notices.
    }
  }

  /** Another session with the same address and options. */
  reopen(signal: AbortSignal): Promise<MariadbSession> {
    return MariadbSession.open(this.#address, this.#options, signal);
  }

  /** Ends another session and waits until it is gone; one that is not there is none to end. */
  async terminate(id: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const rows = await this.query(
        `SELECT ID FROM information_schema.PROCESSLIST WHERE ID = ${Number(id)}`,
        signal,
      );
      if (rows.length === 0) return;
      await this.execute(`KILL CONNECTION ${Number(id)}`, signal).catch(ignoreUnknownThread);
      await new Promise((resolve) => setTimeout(resolve, END_POLL_MS));
    }
  }

  /** Ends the session. Idempotent; never throws. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    try {
      await this.#connection.end();
    } catch {
      this.#connection.destroy();
    }
    this.#lost = true;
  }
}

function effectOf(result: unknown): Effect {
  if (typeof result !== 'object' || result === null || !('affectedRows' in result)) {
    return { affectedRows: 0, warnings: 0 };
  }
  return {
    affectedRows: Number(result.affectedRows),
    warnings: 'warningStatus' in result ? Number(result.warningStatus) : 0,
  };
}

/** The driver puts the whole statement into its errors, and an INSERT holds rows: they belong into no log. */
function withoutStatement(error: unknown): unknown {
  if (!(error instanceof SqlError)) return error;
  const message = `${error.sqlMessage ?? ''} (error ${error.errno})`;
  const frames = /(?:\n {4}at .*)+/.exec(error.stack ?? '')?.[0] ?? '';
  return Object.assign(error, { sql: null, message, stack: `SqlError: ${message}${frames}` });
}

function ignoreUnknownThread(error: unknown): void {
  if (!(error instanceof Error && 'errno' in error && error.errno === 1094)) throw error;
}

function offersNoTls(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ER_SERVER_SSL_DISABLED';
}
