/** Where a scanner of row lines stands, and the steps that every kind of database takes in the same way. */

/** Thrown by the scanner for bytes that are no row line; the caller adds table and row. */
export class MalformedRow extends Error {}

/** Where the scanner stands in its input and output. Shared by the functions that advance it. */
export interface Cursor {
  readonly input: Buffer;
  at: number;
  output: Buffer;
  length: number;
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** Makes room for `bytes` more bytes of output. */
export function reserve(cursor: Cursor, bytes: number): void {
  const needed = cursor.length + bytes;
  if (needed <= cursor.output.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, cursor.output.length * 2));
  cursor.output.copy(larger, 0, 0, cursor.length);
  cursor.output = larger;
}

/** Appends `\N`, which stands for NULL in COPY as in LOAD DATA. */
export function putNull(cursor: Cursor): void {
  reserve(cursor, 2);
  cursor.output[cursor.length] = BACKSLASH;
  cursor.output[cursor.length + 1] = 0x4e;
  cursor.length += 2;
}

/** Passes over a string; the cursor stands behind its opening quote. */
export function skipString(cursor: Cursor): void {
  const { input } = cursor;
  while (cursor.at < input.length) {
    const byte = input[cursor.at];
    cursor.at += byte === BACKSLASH ? 2 : 1;
    if (byte === QUOTE) return;
  }
  throw new MalformedRow('a string does not end');
}

/** Passes over a byte that has to be there. */
export function expectByte(cursor: Cursor, byte: number, problem: string): void {
  if (cursor.input[cursor.at] !== byte) throw new MalformedRow(problem);
  cursor.at += 1;
}

/** Passes over what may stand between the tokens of a line. */
export function skipSpace(cursor: Cursor): void {
  for (;;) {
    const byte = cursor.input[cursor.at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return;
    cursor.at += 1;
  }
}

/** Whether `expected` stands at `at`. */
export function startsWith(input: Buffer, at: number, expected: Buffer): boolean {
  for (let n = 0; n < expected.length; n += 1) {
    if (input[at + n] !== expected[n]) return false;
  }
  return true;
}

/**
 * The code point of `\uXXXX`, with its other half where it is a surrogate; the cursor stands behind the `u`.
 * @throws MalformedRow for half a pair
 */
export function readCodePoint(cursor: Cursor): number {
  const code = hex4(cursor);
  if (code < 0xd800 || code > 0xdfff) return code;
  const escaped = cursor.input[cursor.at] === BACKSLASH && cursor.input[cursor.at + 1] === 0x75;
  if (code > 0xdbff || !escaped) throw new MalformedRow('half a surrogate pair stands in a string');
  cursor.at += 2;
  const low = hex4(cursor);
  if (low < 0xdc00 || low > 0xdfff) throw new MalformedRow('half a surrogate pair stands in a string');
  return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

function hex4(cursor: Cursor): number {
  const digits = cursor.input.toString('latin1', cursor.at, cursor.at + 4);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new MalformedRow('a \\u escape is incomplete');
  cursor.at += 4;
  return Number.parseInt(digits, 16);
}
