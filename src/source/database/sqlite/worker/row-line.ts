/** One row as a line, value by value, without ever holding a big value twice. */
import { isUtf8 } from 'node:buffer';
import type { Connection } from './open-database.ts';
import { rowidField } from './rowids.ts';
import { quoteName } from './sql-names.ts';
import type { ColumnLayout } from './table-layout.ts';

/** How a database stores its text. */
export type Encoding = 'UTF-8' | 'UTF-16le' | 'UTF-16be';

/** A big value is written in slices of this many bytes. */
const SLICE_BYTES = 256 * 1024;

/** The text encoding of a database. */
export function encodingOf(db: Connection): Encoding {
  const encoding = db.pragma('encoding', { simple: true });
  return encoding === 'UTF-16le' || encoding === 'UTF-16be' ? encoding : 'UTF-8';
}

/** concat() takes 1000 arguments. */
const CONCATENATED = 900;

/**
 * What {@link rowLine} needs of a row of `this`: first a string with the first letter of each value's type, then a result a
 * column, a Buffer for text and blobs, else the JSON as SQLite prints it.
 */
export function slowColumns(
  columns: readonly ColumnLayout[],
  isMinusZero: (value: string) => string,
): string {
  const types = columns.map(({ name }) => `substr(typeof(this.${quoteName(name)}), 1, 1)`);
  const groups: string[] = [];
  for (let at = 0; at < types.length; at += CONCATENATED) {
    groups.push(`concat(${types.slice(at, at + CONCATENATED).join(', ')})`);
  }
  const values = columns.map(({ name }) => {
    const value = `this.${quoteName(name)}`;
    return `CASE typeof(${value}) WHEN 'text' THEN CAST(${value} AS BLOB) WHEN 'blob' THEN ${value}
      ELSE iif(${isMinusZero(value)}, '-0.0', json_quote(${value})) END`;
  });
  return [`concat(${groups.join(', ')})`, ...values].join(', ');
}

/**
 * The line of a row, newline included, in pieces.
 *
 * @param row - its rowid if that is to be said, then {@link slowColumns}
 */
export function* rowLine(
  names: readonly string[],
  row: readonly (string | Buffer | null)[],
  encoding: Encoding,
): Generator<Buffer, void, undefined> {
  const [rowid, types, ...values] = row;
  const begin = typeof rowid === 'string' ? `{${JSON.stringify(rowidField(names))}:${rowid},` : '{';
  for (const [place, name] of names.entries()) {
    yield Buffer.from(`${place === 0 ? begin : ','}${JSON.stringify(name)}:`);
    const value = values[place];
    if (!Buffer.isBuffer(value)) yield Buffer.from(String(value));
    else if (types?.[place] === 't') yield* textValue(value, encoding);
    else yield* tagged('$blob', value);
  }
  yield Buffer.from('}\n');
}

function* textValue(bytes: Buffer, encoding: Encoding): Generator<Buffer, void, undefined> {
  const utf8 = encoding === 'UTF-8' ? bytes : utf8FromUtf16(bytes, encoding);
  if (utf8 === undefined) {
    // The bytes are turned around by now, if need be.
    yield* tagged('$text16', bytes);
    return;
  }
  if (utf8.includes(0) || !isUtf8(utf8)) {
    yield* tagged('$text', utf8);
    return;
  }
  yield Buffer.from('"');
  for (let start = 0; start < utf8.length; ) {
    const end = characterStart(utf8, start + SLICE_BYTES);
    yield Buffer.from(JSON.stringify(utf8.toString('utf8', start, end)).slice(1, -1));
    start = end;
  }
  yield Buffer.from('"');
}

function* tagged(tag: string, bytes: Buffer): Generator<Buffer, void, undefined> {
  yield Buffer.from(`{"${tag}":"`);
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    // SQLite's hex() writes capitals; the same row is the same bytes on either way.
    yield Buffer.from(bytes.toString('hex', start, start + SLICE_BYTES).toUpperCase());
  }
  yield Buffer.from('"}');
}

/** The end of the character that `at` is in, or `at` itself when one begins there. */
function characterStart(utf8: Buffer, at: number): number {
  let place = Math.min(at, utf8.length);
  while (place < utf8.length && ((utf8[place] ?? 0) & 0xc0) === 0x80) place += 1;
  return place;
}

/** Undefined when it is no valid UTF-16; `bytes` are little endian afterwards. */
function utf8FromUtf16(bytes: Buffer, encoding: Encoding): Buffer | undefined {
  const text = (encoding === 'UTF-16be' ? bytes.swap16() : bytes).toString('utf16le');
  return text.isWellFormed() ? Buffer.from(text) : undefined;
}
