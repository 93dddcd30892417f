/**
 * The way back from {@link RowArrayWriter}: takes exactly the arrays it writes and gives back the row lines. Makes
 * no digest of them: the SHA-256 of the part covers the bytes, and who loads them compares what the database holds
 * in the end.
 */
import { wrongContent } from './refusal.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** The one way an empty array is written; also how the reader knows that no row was open. */
const NO_ROW = '[]\n';
const FIRST_ROW = '[\n';
const END = ']\n';

/** Reads one part. Strict: an array that was written or edited by anything else is refused. */
export class RowArrayReader {
  readonly #entry: string;
  readonly #rowBytes: number;
  #rows = 0;
  #state: 'START' | 'ROW_START' | 'IN_ROW' | 'END' = 'START';
  /** The bytes around the rows, which may arrive one by one. */
  #frame = '';
  #openRowBytes = 0;
  /** A comma that ended a chunk: it belongs to the row unless a newline follows. */
  #heldComma = false;
  #lastByte = 0;

  /** @param rowBytes the longest row that is let through */
  constructor(entry: string, rowBytes: number) {
    this.#entry = entry;
    this.#rowBytes = rowBytes;
  }

  /** Whole rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** The row lines in a chunk of JSON; possibly none. */
  decode(chunk: Buffer): Buffer {
    // What comes out is shorter than what goes in, but for a comma held back and a last row's newline.
    const output = Buffer.allocUnsafe(chunk.length + 2);
    let length = 0;
    let position = 0;
    while (position < chunk.length) {
      if (this.#state === 'START' || this.#state === 'END') {
        this.#takeFrame(chunk[position] ?? 0);
        position++;
        continue;
      }
      if (this.#state === 'ROW_START') this.#beginRow(chunk[position] ?? 0);
      const newline = chunk.indexOf(NEWLINE, position);
      if (newline < 0) {
        length += this.#takePiece(chunk, position, output, length);
        break;
      }
      length += this.#takeRowEnd(chunk, position, newline, output, length);
      position = newline + 1;
    }
    return output.subarray(0, length);
  }

  /** The number of rows, once the whole part has been decoded. */
  finish(): number {
    const closed =
      (this.#state === 'END' && this.#frame === END) || (this.#state === 'START' && this.#frame === NO_ROW);
    if (!closed) throw this.#malformed('ends too early');
    return this.#rows;
  }

  #takeFrame(byte: number): void {
    this.#frame += String.fromCharCode(byte);
    if (this.#state === 'START' && this.#frame === FIRST_ROW) {
      this.#state = 'ROW_START';
      return;
    }
    const expected = this.#state === 'START' ? NO_ROW : END;
    if (!expected.startsWith(this.#frame)) throw this.#malformed('does not hold one row a line');
  }

  #beginRow(byte: number): void {
    if (byte !== OPENING_BRACE) throw this.#malformed('holds a line that is no row');
    this.#state = 'IN_ROW';
  }

  /** The row goes on beyond the chunk. */
  #takePiece(chunk: Buffer, start: number, output: Buffer, at: number): number {
    let length = this.#releaseComma(output, at);
    this.#heldComma = chunk[chunk.length - 1] === COMMA;
    const end = this.#heldComma ? chunk.length - 1 : chunk.length;
    length += chunk.copy(output, at + length, start, end);
    if (length > 0) this.#lastByte = output[at + length - 1] ?? 0;
    this.#countRowBytes(length);
    return length;
  }

  #takeRowEnd(chunk: Buffer, start: number, newline: number, output: Buffer, at: number): number {
    // With nothing before the newline, the comma that tells whether rows follow is the one held back.
    const commaHeld = this.#heldComma && newline === start;
    const commaHere = newline > start && chunk[newline - 1] === COMMA;
    if (commaHeld) this.#heldComma = false;
    let length = this.#releaseComma(output, at);
    length += chunk.copy(output, at + length, start, commaHere ? newline - 1 : newline);
    if (length > 0) this.#lastByte = output[at + length - 1] ?? 0;
    if (this.#lastByte !== CLOSING_BRACE) throw this.#malformed('holds a line that is no row');
    this.#countRowBytes(length);
    this.#rows++;
    this.#openRowBytes = 0;
    output[at + length] = NEWLINE;
    this.#frame = '';
    this.#state = commaHeld || commaHere ? 'ROW_START' : 'END';
    return length + 1;
  }

  #releaseComma(output: Buffer, at: number): number {
    if (!this.#heldComma) return 0;
    this.#heldComma = false;
    output[at] = COMMA;
    return 1;
  }

  #countRowBytes(length: number): void {
    this.#openRowBytes += length;
    if (this.#openRowBytes > this.#rowBytes)
      throw this.#malformed(`holds a row beyond ${this.#rowBytes} bytes`);
  }

  #malformed(what: string): Error {
    return wrongContent(this.#entry, what);
  }
}
