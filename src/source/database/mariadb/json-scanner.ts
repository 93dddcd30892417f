/** Turns JSON values into fields of LOAD DATA text, byte by byte. */

import { type Cursor, MalformedRow, putNull, readCodePoint, reserve } from '../row-text/cursor.ts';

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const SPACE = 0x20;

/** What each escape letter of JSON stands for, by its byte; -1 where it is none. */
const ESCAPES = new Int16Array(256).fill(-1);
for (const [letter, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
] as const) {
  ESCAPES[letter.charCodeAt(0)] = byte;
}

/** The letter that stands behind a backslash for a byte that may not stand for itself; 0 for all others. */
const LETTERS = new Uint8Array(256);
for (const [byte, letter] of [
  [BACKSLASH, '\\'],
  [0x0a, 'n'],
  [0x0d, 'r'],
  [0x09, 't'],
  [0x00, '0'],
  [0x1a, 'Z'],
] as const) {
  LETTERS[byte] = letter.charCodeAt(0);
}

/** The worth of a hexadecimal digit, by its byte; 255 where it is none. */
const DIGITS = new Uint8Array(256).fill(255);
for (const [n, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = n;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = n;
}

/** Appends one byte of a value, escaped where that is needed. Room for two bytes must be there. */
export function putByte(cursor: Cursor, byte: number): void {
  const letter = LETTERS[byte] ?? 0;
  if (letter === 0) {
    cursor.output[cursor.length] = byte;
    cursor.length += 1;
    return;
  }
  cursor.output[cursor.length] = BACKSLASH;
  cursor.output[cursor.length + 1] = letter;
  cursor.length += 2;
}

/**
 * Copies a JSON string; the cursor stands behind its opening quote and ends behind the closing one. The text never
 * grows: each escape is two bytes and comes from a JSON escape of two or more.
 */
export function copyString(cursor: Cursor): void {
  const { input } = cursor;
  const end = input.length;
  let at = cursor.at;
  reserve(cursor, end - at);
  const { output } = cursor;
  let length = cursor.length;
  while (at < end) {
    const byte = input[at] ?? 0;
    if (byte === QUOTE) {
      cursor.at = at + 1;
      cursor.length = length;
      return;
    }
    if (byte === BACKSLASH) {
      cursor.at = at + 1;
      cursor.length = length;
      copyEscape(cursor);
      at = cursor.at;
      length = cursor.length;
    } else if (byte < SPACE) {
      throw new MalformedRow('a control character stands in a string');
    } else {
      output[length] = byte;
      length += 1;
      at += 1;
    }
  }
  throw new MalformedRow('a string does not end');
}

/** Copies the bytes that a JSON string of hexadecimal digits stands for; the cursor as in {@link copyString}. */
export function copyHex(cursor: Cursor): void {
  const { input } = cursor;
  // Two digits become at most two bytes.
  const end = input.indexOf(QUOTE, cursor.at);
  if (end === -1) throw new MalformedRow('a string does not end');
  if ((end - cursor.at) % 2 !== 0) throw new MalformedRow('half a byte stands in a hexadecimal value');
  reserve(cursor, end - cursor.at);
  for (let at = cursor.at; at < end; at += 2) {
    const high = DIGITS[input[at] ?? 0] ?? 255;
    const low = DIGITS[input[at + 1] ?? 0] ?? 255;
    if (high > 15 || low > 15) throw new MalformedRow('a value is not hexadecimal');
    putByte(cursor, high * 16 + low);
  }
  cursor.at = end + 1;
}

/** Copies a number, true, false or null. What the number is worth is for the database to judge. */
export function copyLiteral(cursor: Cursor): void {
  const { input } = cursor;
  const start = cursor.at;
  while (isPartOfLiteral(input[cursor.at] ?? 0)) cursor.at += 1;
  const length = cursor.at - start;
  const first = input[start] ?? 0;
  const word = length > 5 ? '' : input.toString('latin1', start, cursor.at);
  if (word === 'null') {
    putNull(cursor);
  } else if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    reserve(cursor, length);
    cursor.length += input.copy(cursor.output, cursor.length, start, cursor.at);
  } else if (word === 'true' || word === 'false') {
    reserve(cursor, 1);
    putByte(cursor, word === 'true' ? 0x31 : 0x30);
  } else {
    throw new MalformedRow('a value is missing or malformed');
  }
}

function isPartOfLiteral(byte: number): boolean {
  const letter = byte | 0x20;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (letter >= 0x61 && letter <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  );
}

/** One escape; the cursor stands behind the backslash. */
function copyEscape(cursor: Cursor): void {
  const letter = cursor.input[cursor.at] ?? 0;
  cursor.at += 1;
  if (letter === 0x75) {
    copyCodePoint(cursor);
    return;
  }
  const byte = ESCAPES[letter] ?? -1;
  if (byte === -1) throw new MalformedRow('an unknown escape stands in a string');
  putByte(cursor, byte);
}

/** `\uXXXX`; the cursor stands behind the `u`. */
function copyCodePoint(cursor: Cursor): void {
  const code = readCodePoint(cursor);
  if (code < 0x80) {
    putByte(cursor, code);
    return;
  }
  cursor.length += cursor.output.write(String.fromCodePoint(code), cursor.length, 'utf8');
}
