/** Counts the rows of a part and checks its form, and its rows where they are to be proven, without copying a byte. */
import { wrongContent } from './refusal.ts';
import type { RowFault, RowProof } from './row-proof.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
/** `{}` */
const SHORTEST_ROW = 2;
const HELD_COMMA = Buffer.from(',');

/** Checks one part. As strict as RowArrayReader. */
export class RowArrayCheck {
  readonly #entry: string;
  readonly #rowBytes: number;
  readonly #proof: RowProof | undefined;
  /** START: the first line is to come. ROWS: a row has to follow. LAST: the closing line has to follow. */
  #state: 'START' | 'ROWS' | 'LAST' | 'END' = 'START';
  #rows = 0;
  /** Of the line that began in an earlier chunk. */
  #length = 0;
  #first = 0;
  #lastButOne = 0;
  #last = 0;
  /** A comma at the end of a piece: it belongs to the row unless the line ends with it. */
  #commaHeld = false;

  /**
   * @param rowBytes the longest row that is let through
   * @param proof takes the rows; without one only their form is looked at
   */
  constructor(entry: string, rowBytes: number, proof?: RowProof) {
    this.#entry = entry;
    this.#rowBytes = rowBytes;
    this.#proof = proof;
  }

  /** Whole rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes the next piece of the part. */
  take(chunk: Buffer): void {
    const proof = this.#proof;
    // From the first to behind the last row that is whole within this chunk; all between are.
    let [wholeFrom, wholeTo, wholeBefore] = [-1, -1, 0];
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
      if (plainRow) {
        if (proof !== undefined) {
          if (wholeFrom < 0) [wholeFrom, wholeBefore] = [start, this.#rows];
          wholeTo = end;
          this.#require(proof.row(chunk, start, end - 1));
        }
        this.#rows++;
      } else {
        this.#takePiece(chunk, start, end);
        this.#endLine();
      }
      start = end + 1;
    }
    if (proof !== undefined && wholeTo > wholeFrom && !proof.isText(chunk, wholeFrom, wholeTo))
      this.#tellNoText(proof, chunk.subarray(wholeFrom, wholeTo + 1), wholeBefore);
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
    if (this.#proof !== undefined && this.#state === 'ROWS') this.#provePiece(this.#proof, chunk, start, end);
  }

  #provePiece(proof: RowProof, chunk: Buffer, start: number, end: number): void {
    if (this.#commaHeld) this.#require(proof.piece(HELD_COMMA, 0, 1));
    this.#commaHeld = chunk[end - 1] === COMMA;
    this.#require(proof.piece(chunk, start, this.#commaHeld ? end - 1 : end));
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
    if (this.#proof !== undefined) this.#require(this.#proof.endRow());
    this.#commaHeld = false;
    this.#rows++;
    this.#state = goesOn ? 'ROWS' : 'LAST';
  }

  /** @param length of a row so far, without the comma that may follow it */
  #checkLength(length: number): void {
    if (length > this.#rowBytes) throw this.#malformed(`holds a row beyond ${this.#rowBytes} bytes`);
  }

  /** Finds the row among whole ones. */
  #tellNoText(proof: RowProof, lines: Buffer, rowsBefore: number): void {
    let row = rowsBefore + 1;
    for (let start = 0; start < lines.length; row++) {
      const newline = lines.indexOf(NEWLINE, start);
      const end = newline < 0 ? lines.length : newline;
      if (!proof.isText(lines, start, end)) throw this.#wrongRow(row, 'is no valid UTF-8');
      start = end + 1;
    }
  }

  #require(fault: RowFault): void {
    if (fault !== undefined) throw this.#wrongRow(this.#rows + 1, fault);
  }

  /** @param row from 1 */
  #wrongRow(row: number, fault: string): Error {
    return this.#malformed(`holds a row that ${fault}: row ${row}`);
  }

  #malformed(what: string): Error {
    return wrongContent(this.#entry, what);
  }
}
