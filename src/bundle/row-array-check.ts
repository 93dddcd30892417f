/**
 * Counts the rows of a part and checks its form, without copying a byte: what a verify needs beside the SHA-256,
 * which covers the rows and with them the digest that was made of the same bytes.
 */
import { wrongContent } from './refusal.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
/** `{}` */
const SHORTEST_ROW = 2;

/** Checks one part. As strict as RowArrayReader. */
export class RowArrayCheck {
  readonly #entry: string;
  readonly #rowBytes: number;
  /** START: the first line is to come. ROWS: a row has to follow. LAST: the closing line has to follow. */
  #state: 'START' | 'ROWS' | 'LAST' | 'END' = 'START';
  #rows = 0;
  /** Of the line that began in an earlier chunk. */
  #length = 0;
  #first = 0;
  #lastButOne = 0;
  #last = 0;

  /** @param rowBytes the longest row that is let through */
  constructor(entry: string, rowBytes: number) {
    this.#entry = entry;
    this.#rowBytes = rowBytes;
  }

  /** Whole rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes the next piece of the part. */
  take(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const plainRow =
        this.#state === 'ROWS' &&
        this.#length === 0 &&
        end - start > SHORTEST_ROW &&
        end - start <= this.#rowBytes &&
        chunk[start] === OPENING_BRACE &&
        chunk[end - 1] === COMMA &&
        chunk[end - 2] === CLOSING_BRACE;
      if (plainRow) this.#rows++;
      else {
        this.#takePiece(chunk, start, end);
        this.#endLine();
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#takePiece(chunk, start, chunk.length);
  }

  /** The number of rows, once the whole part was taken. */
  finish(): number {
    if (this.#state !== 'END' || this.#length > 0) throw this.#malformed('ends too early');
    return this.#rows;
  }

  #takePiece(chunk: Buffer, start: number, end: number): void {
    if (end === start) return;
    if (this.#length === 0) this.#first = chunk[start] ?? 0;
    this.#lastButOne = end - start > 1 ? (chunk[end - 2] ?? 0) : this.#last;
    this.#last = chunk[end - 1] ?? 0;
    this.#length += end - start;
    // A comma more than the row.
    if (this.#length > this.#rowBytes + 1)
      throw this.#malformed(`holds a row beyond ${this.#rowBytes} bytes`);
  }

  #endLine(): void {
    if (this.#state === 'START') this.#takeFirstLine();
    else if (this.#state === 'ROWS') this.#takeRow();
    else if (this.#state === 'LAST' && this.#length === 1 && this.#first === CLOSING_BRACKET) {
      this.#state = 'END';
    } else throw this.#malformed('does not hold one row a line');
    this.#length = 0;
  }

  #takeFirstLine(): void {
    const opens = this.#first === OPENING_BRACKET && this.#length > 0;
    if (opens && this.#length === 1) this.#state = 'ROWS';
    else if (opens && this.#length === 2 && this.#last === CLOSING_BRACKET) this.#state = 'END';
    else throw this.#malformed('does not hold one row a line');
  }

  #takeRow(): void {
    const goesOn = this.#last === COMMA;
    const close = goesOn ? this.#lastButOne : this.#last;
    const length = goesOn ? this.#length - 1 : this.#length;
    this.#checkLength(length);
    if (length < SHORTEST_ROW || this.#first !== OPENING_BRACE || close !== CLOSING_BRACE) {
      throw this.#malformed('holds a line that is no row');
    }
    this.#rows++;
    this.#state = goesOn ? 'ROWS' : 'LAST';
  }

  /** @param length of a row so far, without the comma that may follow it */
  #checkLength(length: number): void {
    if (length > this.#rowBytes) throw this.#malformed(`holds a row beyond ${this.#rowBytes} bytes`);
  }

  #malformed(what: string): Error {
    return wrongContent(this.#entry, what);
  }
}
