/**
 * Reads `COPY … TO STDOUT` straight from the socket. pg-copy-streams makes an object of each row, and with rows
 * of a hundred bytes that is most of what an export costs on this side.
 */
import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import { letGoIfWhole } from '../../../let-go.ts';
import { RowBatches } from './row-batches.ts';

const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const ERROR_RESPONSE = 0x45;
/** A message begins with its code (1 byte) and its length without the code (4). */
const HEADER_BYTES = 5;
/** Batches that wait for the reader before the socket is told to stop. */
const WAITING = 2;

/** What pg calls on the query that is running. */
interface RunningQuery extends Submittable {
  handleError(error: unknown): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
}

/**
 * A binary COPY of rows that are one text each, as a query for `client.query()`. Read it with {@link next}; pg
 * itself hears again of everything from the end of the rows on.
 */
export class CopyOut implements RunningQuery {
  readonly #sql: string;
  readonly #waiting: Buffer[] = [];
  readonly #rows = new RowBatches((batch) => this.#waiting.push(batch));
  #stream: Duplex | undefined;
  #pgListener: ((chunk: Buffer) => void) | undefined;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  /** Bytes left of the message that a chunk ended in, and whether they are rows. */
  #left = 0;
  #isRows = false;
  /** The batch that is with the reader. */
  #given: Buffer | undefined;
  /** Whether pg was handed a piece of the present chunk, and may keep it. */
  #shared = false;
  #failure: unknown;
  #done = false;
  #wake = (): void => {};

  constructor(sql: string) {
    this.#sql = sql;
  }

  /**
   * The next rows, in a buffer that is overwritten once more are asked for; undefined behind the last one, when the
   * connection is ready for another statement.
   */
  async next(): Promise<Buffer | undefined> {
    if (this.#given !== undefined) this.#rows.takeBack(this.#given);
    this.#given = undefined;
    for (;;) {
      const batch = this.#waiting.shift();
      if (batch !== undefined) {
        this.#given = batch;
        return batch;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#done) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#stream?.resume();
      await promise;
    }
  }

  /** Ends the reading with `error`; the connection is of no further use unless the server itself sent it. */
  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  submit(connection: Connection): void {
    const stream = connection.stream;
    // pg's own listener, which is the only one and takes Buffers.
    const [listener] = stream.listeners('data') as ((chunk: Buffer) => void)[];
    if (listener === undefined) throw new Error('pg does not listen to its connection');
    this.#stream = stream;
    this.#pgListener = listener;
    stream.on('data', this.#onData);
    stream.removeListener('data', listener);
    connection.query(this.#sql);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#done = true;
    this.#wake();
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#shared = false;
      this.#parse(chunk);
      // Rows were copied out of it, and nobody else listens to the socket.
      if (!this.#shared) letGoIfWhole(chunk);
    } catch (error) {
      this.#stream?.destroy();
      this.handleError(error);
    }
    if (this.#waiting.length === 0) return;
    if (this.#waiting.length >= WAITING && this.#pgListener !== undefined) this.#stream?.pause();
    this.#wake();
  };

  #parse(chunk: Buffer): void {
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, end - at);
        if (this.#isRows) this.#rows.add(chunk, at, at + taken);
        else this.#handToPg(chunk.subarray(at, at + taken));
        this.#left -= taken;
        at += taken;
      } else if (this.#headerLength === 0 && end - at >= HEADER_BYTES && chunk[at] === COPY_DATA) {
        const bytes = chunk.readInt32BE(at + 1) - 4;
        at += HEADER_BYTES;
        if (bytes <= end - at && this.#rows.addRow(chunk, at, at + bytes)) {
          at += bytes;
        } else {
          this.#isRows = true;
          this.#left = bytes;
        }
      } else {
        const taken = Math.min(HEADER_BYTES - this.#headerLength, end - at);
        chunk.copy(this.#header, this.#headerLength, at, at + taken);
        this.#headerLength += taken;
        at += taken;
        if (this.#headerLength === HEADER_BYTES && this.#endsWithHeader(chunk.subarray(at))) return;
      }
    }
  }

  /** Takes the gathered header; true when the rows end with it and pg has taken over, from `rest` on. */
  #endsWithHeader(rest: Buffer): boolean {
    this.#headerLength = 0;
    const [code] = this.#header;
    this.#isRows = code === COPY_DATA;
    this.#left = this.#header.readInt32BE(1) - 4;
    if (this.#isRows) return false;
    const header = Buffer.from(this.#header);
    if (code !== COPY_DONE && code !== ERROR_RESPONSE) {
      // The beginning of the COPY, a notice or a changed setting: pg's parser takes messages in pieces.
      this.#pgListener?.(header);
      return false;
    }
    if (code === COPY_DONE) this.#rows.flush();
    this.#giveBack(Buffer.concat([header, rest]));
    return true;
  }

  #handToPg(piece: Buffer): void {
    this.#shared = true;
    this.#pgListener?.(piece);
  }

  #giveBack(rest: Buffer): void {
    const stream = this.#stream;
    const listener = this.#pgListener;
    if (stream === undefined || listener === undefined) return;
    this.#pgListener = undefined;
    stream.on('data', listener);
    stream.removeListener('data', this.#onData);
    listener(rest);
  }
}
