/**
 * Converts row lines that are written the way Holdfast writes them, without a look at anything else: keys in the
 * order of the columns, no spaces, no nested values, no `\u` escapes. Whatever differs is left to the careful
 * scanner of copy-text.ts, row by row, which also tells what is wrong.
 */
import type { Cursor } from '../row-text/cursor.ts';

const TAB = 0x09;
const LINE_END = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;

const NULL = Buffer.from('null');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const COPY_NULL = Buffer.from('\\N');

/** Bytes of a string that are copied one by one before its end is searched for, which is faster for long ones. */
const LOOKED_AT = 48;

/** 1 for the bytes of a number. */
const IN_NUMBER = new Uint8Array(256);
for (const letter of '0123456789+-.eE') IN_NUMBER[letter.charCodeAt(0)] = 1;

/** Added to a byte that COPY takes without a backslash. */
const BARE = 256;

/** What to write for a letter behind a backslash, behind COPY's own unless it is BARE; 0: for others to judge. */
const ESCAPED = new Uint16Array(256);
for (const [letter, written] of [
  ['"', BARE + QUOTE],
  ['\\', BACKSLASH],
  ['/', BARE + 0x2f],
  ['b', BARE + 0x08],
  ['f', BARE + 0x0c],
  ['n', 0x6e],
  ['r', 0x72],
  ['t', 0x74],
] as const) {
  ESCAPED[letter.charCodeAt(0)] = written;
}

/** The rows of one table. */
export class PlainRows {
  /** `{"first":`, `,"second":`, … */
  readonly #keys: readonly Buffer[];
  readonly #cleared: readonly boolean[];

  constructor(columns: readonly string[], cleared: ReadonlySet<string>) {
    this.#keys = columns.map((name, n) => Buffer.from(`${n === 0 ? '{' : ','}${JSON.stringify(name)}:`));
    this.#cleared = columns.map((name) => cleared.has(name));
  }

  /** Whether rows of `input` may be plain: a raw tab or return would end a value where it stands in a string. */
  mayConvert(input: Buffer): boolean {
    return this.#keys.length > 0 && !input.includes(TAB) && !input.includes(RETURN);
  }

  /**
   * Converts rows until one is not plain, or none is left; the cursor then stands before it. Returns how many.
   * The output must have room for as many bytes as the input: the text of a row is never longer than its line.
   */
  convert(cursor: Cursor): number {
    const { input } = cursor;
    const stretches = new Stretches(input);
    for (let rows = 0; ; rows += 1) {
      const { at, length } = cursor;
      if (at < input.length && this.#convertRow(cursor, stretches)) continue;
      cursor.at = at;
      cursor.length = length;
      return rows;
    }
  }

  #convertRow(cursor: Cursor, stretches: Stretches): boolean {
    const { input, output } = cursor;
    const keys = this.#keys;
    for (let n = 0; n < keys.length; n += 1) {
      if (!passKey(cursor, keys[n] ?? input)) return false;
      const start = cursor.length;
      const first = input[cursor.at] ?? 0;
      const copied =
        first === QUOTE
          ? copyPlainString(cursor, stretches)
          : IN_NUMBER[first] === 1
            ? copyNumber(cursor)
            : copyWord(cursor);
      if (!copied) return false;
      if (this.#cleared[n] === true) cursor.length = start + COPY_NULL.copy(output, start);
      output[cursor.length] = TAB;
      cursor.length += 1;
    }
    if (input[cursor.at] !== CLOSE || input[cursor.at + 1] !== LINE_END) return false;
    output[cursor.length - 1] = LINE_END;
    cursor.at += 2;
    return true;
  }
}

/** Finds how far a string can be copied as it stands. What comes next of a byte stays known until it is reached. */
class Stretches {
  readonly #input: Buffer;
  #backslash = -1;
  #lineEnd = -1;

  constructor(input: Buffer) {
    this.#input = input;
  }

  /** Where the string that `at` is in ends, has an escape, or is cut off by the end of the line. */
  end(at: number): number {
    if (this.#lineEnd < at) this.#lineEnd = this.#next(LINE_END, at);
    if (this.#backslash < at) this.#backslash = this.#next(BACKSLASH, at);
    return Math.min(this.#next(QUOTE, at), this.#backslash, this.#lineEnd);
  }

  #next(byte: number, at: number): number {
    const found = this.#input.indexOf(byte, at);
    return found === -1 ? this.#input.length : found;
  }
}

function passKey(cursor: Cursor, key: Buffer): boolean {
  const { input, at } = cursor;
  for (let k = 0; k < key.length; k += 1) if (input[at + k] !== key[k]) return false;
  cursor.at = at + key.length;
  return true;
}

/** The cursor stands before the opening quote. False where the careful scanner has to look. */
function copyPlainString(cursor: Cursor, stretches: Stretches): boolean {
  const { input, output } = cursor;
  let at = cursor.at + 1;
  let length = cursor.length;
  let look = at + LOOKED_AT;
  for (;;) {
    if (at >= look) {
      const end = stretches.end(at);
      length += input.copy(output, length, at, end);
      at = end;
    }
    const byte = input[at] ?? 0;
    at += 1;
    if (byte === QUOTE) break;
    if (byte < SPACE) return false;
    if (byte === BACKSLASH) {
      const written = ESCAPED[input[at] ?? 0] ?? 0;
      if (written === 0) return false;
      at += 1;
      if (written < BARE) {
        output[length] = BACKSLASH;
        length += 1;
      }
      output[length] = written & 0xff;
      look = at + LOOKED_AT;
    } else {
      output[length] = byte;
    }
    length += 1;
  }
  cursor.at = at;
  cursor.length = length;
  return true;
}

/** What the number is worth is for the database to judge. */
function copyNumber(cursor: Cursor): boolean {
  const { input, output } = cursor;
  let { at, length } = cursor;
  for (let byte = input[at] ?? 0; IN_NUMBER[byte] === 1; byte = input[at] ?? 0) {
    output[length] = byte;
    length += 1;
    at += 1;
  }
  cursor.at = at;
  cursor.length = length;
  return true;
}

/** null, true or false. */
function copyWord(cursor: Cursor): boolean {
  const { input, output } = cursor;
  const first = input[cursor.at];
  const word = first === NULL[0] ? NULL : first === TRUE[0] ? TRUE : FALSE;
  if (!passKey(cursor, word)) return false;
  const written = word === NULL ? COPY_NULL : word;
  for (let k = 0; k < written.length; k += 1) output[cursor.length + k] = written[k] ?? 0;
  cursor.length += written.length;
  return true;
}
