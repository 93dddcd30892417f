/**
 * Turns row lines into the text that `COPY … FROM STDIN` takes, byte by byte: nothing is parsed into JavaScript
 * values, so every digit and every byte survives, and memory stays at a chunk plus the largest row.
 */
import { HoldfastError } from '../../../errors.ts';
import { type Cursor, copyString, MalformedRow, reserve } from './json-string.ts';
import { copyLiteral, copyNested, putNull, skipString } from './json-value.ts';
import { PlainRows } from './plain-rows.ts';

const LINE_END = 0x0a;
const TAB = 0x09;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_ARRAY = 0x5b;

/** Small chunks are gathered up to this many bytes before they are converted and sent. */
const WORTH_CONVERTING = 128 * 1024;

/** What is to be loaded. */
export interface CopyTextOptions {
  /** The table as people read it, for messages. */
  readonly table: string;
  /** The keys every row has, in the order of the COPY's columns. */
  readonly columns: readonly string[];
  /** Columns whose values are dropped: NULL instead. */
  readonly cleared: ReadonlySet<string>;
}

/**
 * Converts row lines to COPY text.
 * @throws HoldfastError INVALID_CHECKSUM for a line that is no JSON object, SCHEMA_MISMATCH for one whose keys
 * are not the columns; both name table and row.
 */
export async function* toCopyText(
  rows: AsyncIterable<Buffer>,
  options: CopyTextOptions,
): AsyncGenerator<Buffer> {
  const scanner = new RowScanner(options);
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of rows) {
    pending.push(chunk);
    bytes += chunk.length;
    const last = chunk.lastIndexOf(LINE_END);
    if (last === -1 || bytes < WORTH_CONVERTING) continue;
    const rest = chunk.subarray(last + 1);
    const complete = pending.length === 1 ? chunk : Buffer.concat(pending);
    yield scanner.convert(complete.subarray(0, complete.length - rest.length));
    pending = rest.length > 0 ? [rest] : [];
    bytes = rest.length;
  }
  const left = Buffer.concat(pending);
  if (left.length > 0) {
    yield scanner.convert(left.at(-1) === LINE_END ? left : Buffer.concat([left, Buffer.from('\n')]));
  }
}

class RowScanner {
  readonly #options: CopyTextOptions;
  /** `"name":` of each column as row_to_json and JSON.stringify write it. */
  readonly #keys: readonly Buffer[];
  readonly #cleared: readonly boolean[];
  readonly #plain: PlainRows;
  readonly #index: ReadonlyMap<string, number>;
  /** Where each column's text begins and ends in the output; -1 while a row has not shown it. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #row = 0;

  constructor(options: CopyTextOptions) {
    this.#options = options;
    this.#keys = options.columns.map((name) => Buffer.from(`${JSON.stringify(name)}:`));
    this.#cleared = options.columns.map((name) => options.cleared.has(name));
    this.#plain = new PlainRows(options.columns, options.cleared);
    this.#index = new Map(options.columns.map((name, n) => [name, n]));
    this.#starts = new Int32Array(options.columns.length);
    this.#ends = new Int32Array(options.columns.length);
  }

  /** Converts whole lines. */
  convert(input: Buffer): Buffer {
    const cursor: Cursor = { input, at: 0, output: Buffer.allocUnsafe(input.length + 64), length: 0 };
    try {
      const mayBePlain = this.#plain.mayConvert(input);
      for (;;) {
        if (mayBePlain) this.#row += this.#plain.convert(cursor);
        if (cursor.at === input.length) break;
        this.#row += 1;
        this.#convertRow(cursor);
      }
    } catch (error) {
      if (!(error instanceof MalformedRow)) throw error;
      throw new HoldfastError(
        'INVALID_CHECKSUM',
        `Row ${this.#row} of table ${this.#options.table} is not a valid row: ${error.message}.`,
        { hint: 'The bundle was damaged or edited; restore another backup.', cause: error },
      );
    }
    return cursor.output.subarray(0, cursor.length);
  }

  #convertRow(cursor: Cursor): void {
    const begin = cursor.length;
    const count = this.#keys.length;
    this.#starts.fill(-1);
    skipSpace(cursor);
    expect(cursor, OPEN, 'it does not begin with {');
    let inOrder = true;
    skipSpace(cursor);
    if (cursor.input[cursor.at] === CLOSE) {
      cursor.at += 1;
    } else {
      for (let n = 0; ; n += 1) {
        const column = this.#readKey(cursor, n);
        if (column !== n) inOrder = false;
        this.#copyValue(cursor, column);
        skipSpace(cursor);
        const next = cursor.input[cursor.at];
        cursor.at += 1;
        if (next === CLOSE) break;
        if (next !== COMMA) throw new MalformedRow('a comma or } is missing');
      }
    }
    skipSpace(cursor);
    expect(cursor, LINE_END, 'something follows the object');
    for (let n = 0; n < count; n += 1) {
      if (this.#starts[n] === -1) throw this.#mismatch(`lacks "${this.#options.columns[n]}"`);
    }
    if (!inOrder) this.#arrange(cursor, begin);
    reserve(cursor, 1);
    // The tab behind the last column becomes the end of the line; a row without columns has no tab.
    if (count > 0) cursor.length -= 1;
    cursor.output[cursor.length] = LINE_END;
    cursor.length += 1;
  }

  /** Reads a key and its colon; returns the column. */
  #readKey(cursor: Cursor, expected: number): number {
    const key = this.#keys[expected];
    if (key !== undefined && startsWith(cursor.input, cursor.at, key)) {
      cursor.at += key.length;
      return this.#once(expected);
    }
    skipSpace(cursor);
    const start = cursor.at;
    expect(cursor, QUOTE, 'a key is missing');
    skipString(cursor);
    let name: unknown;
    try {
      name = JSON.parse(cursor.input.toString('utf8', start, cursor.at));
    } catch {
      throw new MalformedRow('a key is malformed');
    }
    skipSpace(cursor);
    expect(cursor, COLON, 'a colon is missing');
    const column = typeof name === 'string' ? this.#index.get(name) : undefined;
    if (column === undefined) throw this.#mismatch(`holds "${String(name)}", which is none of its columns`);
    return this.#once(column);
  }

  #once(column: number): number {
    if (this.#starts[column] !== -1) throw new MalformedRow('a key stands twice');
    return column;
  }

  #copyValue(cursor: Cursor, column: number): void {
    skipSpace(cursor);
    const start = cursor.length;
    const first = cursor.input[cursor.at] ?? 0;
    if (first === QUOTE) {
      cursor.at += 1;
      copyString(cursor);
    } else if (first === OPEN || first === OPEN_ARRAY) {
      copyNested(cursor);
    } else {
      copyLiteral(cursor);
    }
    if (this.#cleared[column] === true) {
      cursor.length = start;
      putNull(cursor);
    }
    this.#starts[column] = start;
    this.#ends[column] = cursor.length;
    reserve(cursor, 1);
    cursor.output[cursor.length] = TAB;
    cursor.length += 1;
  }

  /** Puts the values of a row whose keys came in another order into the order of the columns. */
  #arrange(cursor: Cursor, begin: number): void {
    const copy = Buffer.from(cursor.output.subarray(begin, cursor.length));
    let length = begin;
    for (let n = 0; n < this.#starts.length; n += 1) {
      // The byte behind each value is its tab.
      length += copy.copy(
        cursor.output,
        length,
        (this.#starts[n] ?? 0) - begin,
        (this.#ends[n] ?? 0) - begin + 1,
      );
    }
  }

  #mismatch(what: string): HoldfastError {
    return new HoldfastError('SCHEMA_MISMATCH', `Row ${this.#row} of table ${this.#options.table} ${what}.`, {
      hint: 'The rows do not have the columns that the manifest names; restore another backup.',
    });
  }
}

function expect(cursor: Cursor, byte: number, problem: string): void {
  if (cursor.input[cursor.at] !== byte) throw new MalformedRow(problem);
  cursor.at += 1;
}

function skipSpace(cursor: Cursor): void {
  for (;;) {
    const byte = cursor.input[cursor.at];
    if (byte !== 0x20 && byte !== TAB && byte !== 0x0d) return;
    cursor.at += 1;
  }
}

function startsWith(input: Buffer, at: number, expected: Buffer): boolean {
  for (let n = 0; n < expected.length; n += 1) {
    if (input[at + n] !== expected[n]) return false;
  }
  return true;
}
