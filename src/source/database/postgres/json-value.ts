/** Turns JSON values other than strings into COPY text, byte by byte. */
import { type Cursor, MalformedRow, putNull, reserve, skipString } from '../row-text/cursor.ts';
import { putByte } from './json-string.ts';

const LINE_END = 0x0a;
const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Copies a number, true, false or null. What the number is worth is for the database to judge. */
export function copyLiteral(cursor: Cursor): void {
  const { input } = cursor;
  const start = cursor.at;
  for (;;) {
    const byte = input[cursor.at] ?? 0;
    const part =
      (byte >= 0x30 && byte <= 0x39) ||
      (byte | 0x20) >= 0x61 ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x2e;
    if (!part || (byte | 0x20) > 0x7a) break;
    cursor.at += 1;
  }
  const length = cursor.at - start;
  const first = input[start] ?? 0;
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    reserve(cursor, length);
    for (let n = start; n < cursor.at; n += 1) {
      cursor.output[cursor.length] = input[n] ?? 0;
      cursor.length += 1;
    }
    return;
  }
  const word = input.toString('latin1', start, cursor.at);
  if (word === 'null') {
    putNull(cursor);
  } else if (word === 'true' || word === 'false') {
    reserve(cursor, length);
    cursor.length += cursor.output.write(word, cursor.length, 'latin1');
  } else {
    throw new MalformedRow('a value is missing or malformed');
  }
}

/** Copies an object or array, which only an edited bundle holds, as its JSON text. */
export function copyNested(cursor: Cursor): void {
  const { input } = cursor;
  const start = cursor.at;
  let depth = 0;
  do {
    const byte = input[cursor.at];
    if (byte === undefined || byte === LINE_END) throw new MalformedRow('an object or array does not end');
    cursor.at += 1;
    if (byte === QUOTE) skipString(cursor);
    else if (byte === OPEN || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE || byte === CLOSE_ARRAY) depth -= 1;
  } while (depth > 0);
  reserve(cursor, 2 * (cursor.at - start));
  for (let n = start; n < cursor.at; n += 1) putByte(cursor, input[n] ?? 0);
}
