/** Values between JSON and SQLite. */
import { isUtf8 } from 'node:buffer';
import { MalformedRow } from './malformed-row.ts';
import type { Encoding } from './row-line.ts';

/** Text that travels as its bytes: too big for a JavaScript string, or no valid text at all. */
export class TextBytes {
  readonly #bytes: Buffer;
  readonly #isUtf8: boolean;

  /** @param isUtf8 - else UTF-16, little endian */
  constructor(bytes: Buffer, isUtf8: boolean) {
    this.#bytes = bytes;
    this.#isUtf8 = isUtf8;
  }

  /**
   * What a database of this encoding stores: a blob to be cast to text, or the text itself.
   *
   * @throws MalformedRow when it is no valid text, and of another encoding
   */
  storedIn(encoding: Encoding): Buffer | string {
    if (this.#isUtf8) {
      if (encoding === 'UTF-8') return this.#bytes;
      if (isUtf8(this.#bytes)) return this.#bytes.toString();
    } else if (encoding !== 'UTF-8') {
      return encoding === 'UTF-16be' ? Buffer.from(this.#bytes).swap16() : this.#bytes;
    }
    throw new MalformedRow('it holds text that is no valid Unicode, which this database cannot store');
  }
}

/** A value as it enters a column. Integers are bigint, except where the column makes an integer of a number anyway. */
export type Value = string | number | bigint | Buffer | TextBytes | null;

/**
 * The value of a JSON value whose numbers were read by {@link exactNumber}.
 *
 * @throws MalformedRow when no value of SQLite is written that way
 */
export function sqliteValue(json: unknown): Value {
  if (typeof json === 'string') {
    if (json.isWellFormed()) return json;
    throw new MalformedRow('it holds half a surrogate pair');
  }
  if (json === null || typeof json === 'number' || typeof json === 'bigint') return json;
  if (json instanceof TextBytes || Buffer.isBuffer(json)) return json;
  if (typeof json === 'object') {
    const [field, ...more] = Object.entries(json);
    if (field !== undefined && more.length === 0 && typeof field[1] === 'string') {
      return taggedValue(field[0], field[1]);
    }
  }
  throw new MalformedRow('it holds a value that SQLite has not');
}

/** The value of `{"$blob":"<hex>"}`, `{"$text":"<hex>"}` or `{"$text16":"<hex>"}`. */
export function taggedValue(tag: string, hex: string | Buffer): Buffer | TextBytes {
  const bytes = bytesOfHex(hex);
  if (tag === '$blob') return bytes;
  if (tag === '$text') return new TextBytes(bytes, true);
  if (tag === '$text16' && bytes.length % 2 === 0) return new TextBytes(bytes, false);
  throw new MalformedRow(`it holds a value of an unknown kind, ${JSON.stringify(tag.slice(0, 40))}`);
}

/** A number as it is written: an integer of 64 bits, or a real. */
export function exactNumber(source: string): bigint | number {
  if (!/^-?\d+$/.test(source)) return Number(source);
  const integer = BigInt(source);
  if (BigInt.asIntN(64, integer) === integer) return integer;
  throw new MalformedRow('it holds an integer of more than 64 bits');
}

const SLICE = 1024 * 1024;

function bytesOfHex(hex: string | Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(hex.length >> 1);
  let written = 0;
  // In slices, since the whole may be longer than a string can be.
  for (let at = 0; at < hex.length; at += SLICE) {
    const slice =
      typeof hex === 'string' ? hex.slice(at, at + SLICE) : hex.toString('latin1', at, at + SLICE);
    written += bytes.write(slice, written, 'hex');
  }
  // Node stops at the first pair that is no hex.
  if (written * 2 === hex.length) return bytes;
  throw new MalformedRow('it holds bytes that are no hex');
}
