/** Row lines in, JSON arrays out: one row a line, `[\n{…},\n{…}\n]\n`, cut into parts of bounded size. */
import { HoldfastError } from '../errors.ts';
import { ContentDigest, type RowTotals } from './content-digest.ts';

const NEWLINE = 0x0a;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

const FIRST_ROW = Buffer.from('[\n');
const NEXT_ROW = Buffer.from(',\n');
const LAST_ROW = Buffer.from('\n]\n');
const NO_ROW = Buffer.from('[]\n');

/** Chunks of sources are far smaller, unless a single value is big. */
const MOST_KEPT_BYTES = 1024 * 1024;

/** The bounds of the arrays, in bytes. */
export interface RowArrayLimits {
  /** A part is closed at the first row that takes it to this size. */
  readonly partBytes: number;
  readonly rowBytes: number;
}

/** Turns the rows of one table into parts. Copies bytes; never decodes a row. */
export class RowArrayWriter {
  readonly #rows: AsyncIterator<Buffer>;
  readonly #table: string;
  readonly #limits: RowArrayLimits;
  #chunk: Buffer = Buffer.alloc(0);
  #position = 0;
  #output: Buffer = Buffer.alloc(0);
  /** Length so far of a row that began in an earlier chunk; 0 between rows. */
  #openRowBytes = 0;
  #lastByte = 0;
  #digest = new ContentDigest();
  #partBytes = 0;
  #partRows = 0;

  /** @param table how messages call it */
  constructor(rows: AsyncIterable<Buffer>, table: string, limits: RowArrayLimits) {
    this.#rows = rows[Symbol.asyncIterator]();
    this.#table = table;
    this.#limits = limits;
  }

  /** Whether rows are left for another part. */
  async hasMore(): Promise<boolean> {
    while (this.#position >= this.#chunk.length) {
      const next = await this.#rows.next();
      if (next.done === true) return false;
      this.#chunk = next.value;
      this.#position = 0;
    }
    return true;
  }

  /**
   * The JSON of the next part; an empty array when no rows are left. Each chunk is overwritten when the next is
   * asked for.
   */
  async *part(): AsyncGenerator<Buffer> {
    this.#digest = new ContentDigest();
    this.#partBytes = 0;
    this.#partRows = 0;
    while (!this.#partIsFull() && (await this.hasMore())) {
      const encoded = this.#encodeChunk();
      this.#partBytes += encoded.length;
      yield encoded;
    }
    if (this.#openRowBytes > 0) throw this.#malformed('the rows end in the middle of a row');
    const end = this.#partRows === 0 ? NO_ROW : LAST_ROW;
    this.#partBytes += end.length;
    yield end;
  }

  /** Whole rows in the present part so far. */
  get partRows(): number {
    return this.#partRows;
  }

  /** Rows and digest of the part that was read last. */
  partTotals(): RowTotals {
    return this.#digest.totals();
  }

  /** Lets go of the rows. Call it also when they were read to their end. */
  async close(): Promise<void> {
    await this.#rows.return?.();
  }

  #partIsFull(): boolean {
    return this.#openRowBytes === 0 && this.#partBytes >= this.#limits.partBytes;
  }

  /** Encodes what is left of the chunk, or less when the part fills up. */
  #encodeChunk(): Buffer {
    const chunk = this.#chunk;
    // Each row grows by one byte at most, and none is shorter than `{}` and its newline.
    const output = this.#room(Math.ceil(((chunk.length - this.#position) * 4) / 3) + FIRST_ROW.length);
    let length = 0;
    while (this.#position < chunk.length) {
      const start = this.#position;
      if (this.#openRowBytes === 0) {
        if (chunk[start] !== OPENING_BRACE) throw this.#malformed('a row does not begin with {');
        length += (this.#partRows === 0 ? FIRST_ROW : NEXT_ROW).copy(output, length);
      }
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.length : newline;
      length += chunk.copy(output, length, start, end);
      this.#takePiece(start, end, newline >= 0);
      this.#position = newline < 0 ? end : end + 1;
      if (newline >= 0 && this.#partBytes + length >= this.#limits.partBytes) break;
    }
    return output.subarray(0, length);
  }

  /** Room for so many bytes; the same as the last time, but for chunks so big that they should not be kept. */
  #room(bytes: number): Buffer {
    if (bytes > MOST_KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (this.#output.length < bytes) this.#output = Buffer.allocUnsafeSlow(bytes);
    return this.#output;
  }

  #takePiece(start: number, end: number, endsRow: boolean): void {
    const chunk = this.#chunk;
    this.#openRowBytes += end - start;
    if (this.#openRowBytes > this.#limits.rowBytes) throw this.#tooLong();
    if (end > start) this.#lastByte = chunk[end - 1] ?? 0;
    if (!endsRow) {
      this.#digest.continueRow(chunk, start, end);
      return;
    }
    if (this.#lastByte !== CLOSING_BRACE) throw this.#malformed('a row does not end with }');
    this.#digest.endRow(chunk, start, end);
    this.#partRows++;
    this.#openRowBytes = 0;
  }

  #malformed(what: string): Error {
    return new Error(`row lines of ${this.#table}: ${what}`);
  }

  #tooLong(): HoldfastError {
    return new HoldfastError(
      'INVALID_INPUT',
      `A row of ${this.#table} is longer than ${this.#limits.rowBytes} bytes as JSON; it would not be restorable.`,
      { hint: 'Exclude the table, or keep values of this size in files.' },
    );
  }
}
