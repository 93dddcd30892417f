/** Turns the inside of a JSON string into COPY text, byte by byte. */

import { type Cursor, MalformedRow, readCodePoint, reserve } from '../row-text/cursor.ts';

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

/**
 * Copies a JSON string as COPY text; the cursor stands behind its opening quote and ends behind the closing one.
 * The text never grows: each escape of COPY is two bytes and comes from a JSON escape of two or more.
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

/** Appends one byte of text, escaped for COPY where that is needed. Room for two bytes must be there. */
export function putByte(cursor: Cursor, byte: number): void {
  const letter =
    byte === BACKSLASH ? BACKSLASH : byte === 0x0a ? 0x6e : byte === 0x0d ? 0x72 : byte === 0x09 ? 0x74 : 0;
  if (letter === 0) {
    cursor.output[cursor.length] = byte;
    cursor.length += 1;
    return;
  }
  cursor.output[cursor.length] = BACKSLASH;
  cursor.output[cursor.length + 1] = letter;
  cursor.length += 2;
}

/** `\uXXXX`; the cursor stands behind the `u`. */
function copyCodePoint(cursor: Cursor): void {
  const code = readCodePoint(cursor);
  if (code === 0) throw new MalformedRow('a NUL character, which PostgreSQL cannot hold, stands in a string');
  if (code < 0x80) {
    putByte(cursor, code);
    return;
  }
  cursor.length += cursor.output.write(String.fromCodePoint(code), cursor.length, 'utf8');
}
