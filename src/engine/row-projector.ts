/** Row lines with columns left out, cleared or compared as text, without ever holding a row. Pure. */

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const LETTER_N = 0x6e;
const SPACES = new Set([0x20, 0x09, 0x0d]);

const NULL = Buffer.from('null');
const OPEN_ROW = Buffer.from('{');
const CLOSE_ROW = Buffer.from('}\n');
const NEXT_MEMBER = Buffer.from(',');
const QUOTATION_MARK = Buffer.from('"');

/** What becomes of the columns of a row line; columns that are not named stay. */
export interface RowProjection {
  /** Columns that are left out. */
  readonly skipped?: ReadonlySet<string>;
  /** Leave out whatever is not named here. */
  readonly only?: ReadonlySet<string>;
  /** Columns that become null. */
  readonly cleared?: ReadonlySet<string>;
  /** Write numbers and booleans as strings, so that rows of columns whose type changed compare by their text. */
  readonly asText?: boolean;
  /** With {@link asText}: columns whose numbers are written without zeros that end a fraction, so that 1.00 is 1. */
  readonly numbers?: ReadonlySet<string>;
}

/** Where in a row the last byte was. */
type Place = 'BETWEEN_ROWS' | 'BEFORE_KEY' | 'IN_KEY' | 'AFTER_KEY' | 'BEFORE_VALUE' | 'IN_VALUE';

/** What is done with the value at hand. */
type Treatment = 'KEEP' | 'QUOTE' | 'NUMBER' | 'DROP';

/** Turns chunks of row lines into chunks of projected row lines; chunks may end anywhere. */
export class RowProjector {
  readonly #projection: RowProjection;
  #place: Place = 'BETWEEN_ROWS';
  #key: Buffer[] = [];
  #members = 0;
  #treatment: Treatment = 'KEEP';
  /** Inside a value: open brackets, whether in a string, whether the next byte is escaped. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The number at hand, while it may go on in the next chunk. */
  #number: Buffer[] = [];
  #output: Buffer[] = [];

  constructor(projection: RowProjection) {
    this.#projection = projection;
  }

  /**
   * Takes the next chunk of row lines.
   * @throws Error when they are no row lines
   */
  project(chunk: Buffer): Buffer {
    this.#output = [];
    let at = 0;
    while (at < chunk.length) at = this.#step(chunk, at);
    // A copy: whoever takes the chunk next may free or overwrite it before a key that it ended in is asked for.
    this.#key = [Buffer.concat(this.#key)];
    return Buffer.concat(this.#output);
  }

  /** Goes on from `at`, by a byte or a run of them; returns where it stopped. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#place) {
      case 'BETWEEN_ROWS':
        return this.#beginRow(chunk, at);
      case 'BEFORE_KEY':
        return this.#beforeKey(chunk, at);
      case 'IN_KEY':
        return this.#inKey(chunk, at);
      case 'AFTER_KEY':
        if (chunk[at] === COLON) this.#place = 'BEFORE_VALUE';
        return at + 1;
      case 'BEFORE_VALUE':
        return this.#beginValue(chunk, at);
      case 'IN_VALUE':
        return this.#inValue(chunk, at);
    }
  }

  #beginRow(chunk: Buffer, at: number): number {
    if (!OPENING.has(chunk[at] ?? 0)) throw new Error('a row line does not begin with {');
    this.#output.push(OPEN_ROW);
    this.#members = 0;
    this.#place = 'BEFORE_KEY';
    return at + 1;
  }

  /** Between members: a key, the end of the row, or what separates them. */
  #beforeKey(chunk: Buffer, at: number): number {
    const byte = chunk[at] ?? 0;
    if (byte === QUOTE) {
      this.#place = 'IN_KEY';
      this.#key = [];
    } else if (byte === NEWLINE) {
      this.#output.push(CLOSE_ROW);
      this.#place = 'BETWEEN_ROWS';
    } else if (byte !== COMMA && !SPACES.has(byte) && !CLOSING.has(byte)) {
      throw new Error('a row line holds something between its members');
    }
    return at + 1;
  }

  #inKey(chunk: Buffer, at: number): number {
    const end = this.#endOfString(chunk, at);
    this.#key.push(chunk.subarray(at, end));
    if (!this.#inString) this.#place = 'AFTER_KEY';
    return end;
  }

  #beginValue(chunk: Buffer, at: number): number {
    const byte = chunk[at] ?? 0;
    if (SPACES.has(byte)) return at + 1;
    const key = Buffer.concat(this.#key);
    // The key's closing quotation mark is in it, the opening one is not.
    const name: unknown = JSON.parse(`"${key.toString()}`);
    if (typeof name !== 'string') throw new Error('a row line has a member without a name');
    const { skipped, only, cleared, asText, numbers } = this.#projection;
    this.#treatment = 'KEEP';
    if (skipped?.has(name) === true || only?.has(name) === false) this.#treatment = 'DROP';
    else {
      if (this.#members > 0) this.#output.push(NEXT_MEMBER);
      this.#members += 1;
      this.#output.push(QUOTATION_MARK, key, Buffer.from(':'));
      if (cleared?.has(name) === true) {
        this.#output.push(NULL);
        this.#treatment = 'DROP';
      } else if (asText === true && byte !== QUOTE && byte !== LETTER_N && !OPENING.has(byte)) {
        this.#output.push(QUOTATION_MARK);
        this.#treatment = numbers?.has(name) === true ? 'NUMBER' : 'QUOTE';
        this.#number = [];
      }
    }
    this.#place = 'IN_VALUE';
    this.#depth = 0;
    return at;
  }

  /** To the end of the value, or of the chunk. */
  #inValue(chunk: Buffer, at: number): number {
    let end = at;
    while (end < chunk.length) {
      if (this.#inString) {
        end = this.#endOfString(chunk, end);
        continue;
      }
      const byte = chunk[end] ?? 0;
      if (this.#depth === 0 && (byte === COMMA || CLOSING.has(byte))) {
        this.#place = 'BEFORE_KEY';
        break;
      }
      if (byte === QUOTE) this.#inString = true;
      else if (OPENING.has(byte)) this.#depth += 1;
      else if (CLOSING.has(byte)) this.#depth -= 1;
      end += 1;
    }
    if (this.#treatment === 'NUMBER') this.#number.push(Buffer.from(chunk.subarray(at, end)));
    else if (this.#treatment !== 'DROP') this.#output.push(chunk.subarray(at, end));
    if (this.#place === 'BEFORE_KEY') this.#endQuoted();
    return end;
  }

  #endQuoted(): void {
    if (this.#treatment === 'NUMBER') {
      const number = Buffer.concat(this.#number).toString('latin1');
      this.#output.push(Buffer.from(number.replace(/^(-?\d+)(?:\.0+|(\.\d*?[1-9])0+)$/, '$1$2')));
    }
    if (this.#treatment !== 'KEEP' && this.#treatment !== 'DROP') this.#output.push(QUOTATION_MARK);
  }

  /** The position behind the closing quotation mark, or the end of the chunk; `#inString` tells which. */
  #endOfString(chunk: Buffer, from: number): number {
    this.#inString = true;
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#inString = false;
        return at + 1;
      }
    }
    return chunk.length;
  }
}
