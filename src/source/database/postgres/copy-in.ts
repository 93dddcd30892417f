/**
 * Feeds `COPY … FROM STDIN` straight into the socket. The stream of pg-copy-streams writes each header by itself,
 * which wakes the server for five bytes, and does not tell when the bytes of a chunk are no longer needed: each would
 * have to be a buffer of its own, and collecting those took a third of the time of a restore.
 */
import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';

const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);
/** A message begins with its code (1 byte) and its length without the code (4). */
const HEADER_BYTES = 5;

/** What pg calls on the query that is running. */
interface RunningQuery extends Submittable {
  handleError(error: unknown): void;
  handleCopyInResponse(): void;
  handleCommandComplete(message: { readonly text?: string }): void;
  handleReadyForQuery(): void;
}

/** A COPY into the server, as a query for `client.query()`. Calls come one after the other. */
export class CopyIn implements RunningQuery {
  readonly #sql: string;
  #stream: Duplex | undefined;
  #rows = 0;
  #failed: { readonly error: unknown } | undefined;
  /** Ends whatever is waited for, which is one thing at a time: a race would hold on to every message until the end. */
  #fail: (error: unknown) => void = () => {};
  #onBegun = (): void => {};
  #onDone = (): void => {};

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Resolves when the server waits for rows; rejects with what {@link handleError} was told. Call it at once. */
  async begin(): Promise<void> {
    await this.#until((begun) => {
      this.#onBegun = begun;
    });
  }

  /** Sends one message; `bytes` may be used again when it resolves. Rejects like {@link begin}. */
  async send(bytes: Buffer): Promise<void> {
    await this.#until((sent, fail) => {
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header[0] = COPY_DATA;
      header.writeUInt32BE(bytes.length + HEADER_BYTES - 1, 1);
      const stream = this.#stream;
      stream?.cork();
      stream?.write(header);
      stream?.write(bytes, (error) => (error ? fail(error) : sent()));
      stream?.uncork();
    });
  }

  /** Ends the rows; resolves to how many the server took, when the connection is ready for another statement. */
  async finish(): Promise<number> {
    await this.#until((done) => {
      this.#onDone = done;
      this.#stream?.write(COPY_DONE);
    });
    return this.#rows;
  }

  async #until(start: (resolve: () => void, reject: (error: unknown) => void) => void): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed.error;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#fail = reject;
    start(resolve, reject);
    await promise;
  }

  submit(connection: Connection): void {
    this.#stream = connection.stream;
    connection.query(this.#sql);
  }

  /** Ends the feeding with `error`; the connection is of no further use unless the server itself sent it. */
  handleError(error: unknown): void {
    this.#failed ??= { error };
    this.#fail(error);
  }

  handleCopyInResponse(): void {
    this.#onBegun();
  }

  handleCommandComplete({ text }: { readonly text?: string }): void {
    this.#rows = Number(/^COPY (\d+)/.exec(text ?? '')?.[1] ?? 0);
  }

  handleReadyForQuery(): void {
    this.#onDone();
  }
}
