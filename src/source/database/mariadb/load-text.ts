/**
 * Turns row lines into the text that LOAD DATA takes, byte by byte: nothing is parsed into JavaScript values, so
 * every digit and every byte survives. Tabs end fields, line feeds end rows, backslashes escape, `\N` is NULL.
 */
import { HoldfastError } from '../../../errors.ts';
import type { ValueForm } from './column-values.ts';
import {
  type Cursor,
  copyHex,
  copyLiteral,
  copyString,
  MalformedRow,
  putByte,
  putNull,
  reserve,
  skipString,
} from './json-scanner.ts';

const LINE_END = 0x0a;
const TAB = 0x09;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const TEXT_TAG = 0x54;
const HEX_TAG = 0x58;
/** No label of an ENUM: the server says so, and stores its error value. */
const NO_LABEL = Buffer.from('(no label)');
const HEX_KEY = Buffer.from('{"$hex":"');

/** What is to be loaded. */
export interface LoadTextOptions {
  /** The table as people read it, for messages. */
  readonly table: string;
  /** The keys every row has, in the order of the statement's columns, and how their values are written. */
  readonly columns: readonly { readonly name: string; readonly form: ValueForm }[];
  /** Columns whose values are dropped: NULL instead. */
  readonly cleared: ReadonlySet<string>;
  /** A batch is given out once it has so many bytes. */
  readonly batchBytes: number;
}

/** Whole rows for one statement. */
export interface Batch {
  readonly text: Buffer;
  readonly rows: number;
  /** So many times the server has to say that an ENUM has no such label. */
  readonly withoutLabel: number;
}

/**
 * Converts row lines to batches of LOAD DATA text.
 * @throws HoldfastError INVALID_CHECKSUM for a line that is no JSON object, SCHEMA_MISMATCH for one whose keys
 * are not the columns; both name table and row.
 */
export async function* toLoadText(
  rows: AsyncIterable<Buffer>,
  options: LoadTextOptions,
): AsyncGenerator<Batch> {
  const scanner = new RowScanner(options);
  let pending: Buffer[] = [];
  let texts: Buffer[] = [];
  let bytes = 0;
  const take = (): Batch => {
    const batch = { text: Buffer.concat(texts), rows: scanner.row, withoutLabel: scanner.withoutLabel };
    texts = [];
    bytes = 0;
    scanner.beginBatch();
    return batch;
  };
  for await (const chunk of rows) {
    const last = chunk.lastIndexOf(LINE_END);
    if (last === -1) {
      pending.push(chunk);
      continue;
    }
    const complete = chunk.subarray(0, last + 1);
    const text = scanner.convert(pending.length === 0 ? complete : Buffer.concat([...pending, complete]));
    pending = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
    texts.push(text);
    bytes += text.length;
    if (bytes >= options.batchBytes) yield take();
  }
  const rest = Buffer.concat(pending);
  if (rest.length > 0) texts.push(scanner.convert(Buffer.concat([rest, Buffer.from('\n')])));
  if (scanner.row > 0) yield take();
}

class RowScanner {
  readonly #options: LoadTextOptions;
  /** `"name":` of each column as the export writes it. */
  readonly #keys: readonly Buffer[];
  readonly #cleared: readonly boolean[];
  readonly #index: ReadonlyMap<string, number>;
  /** Where each column's text begins and ends in the output; -1 while a row has not shown it. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  /** Rows of batches before this one. */
  #before = 0;
  /** Rows of this batch. */
  row = 0;
  withoutLabel = 0;

  constructor(options: LoadTextOptions) {
    const { columns } = options;
    this.#options = options;
    this.#keys = columns.map(({ name }) => Buffer.from(`${JSON.stringify(name)}:`));
    this.#cleared = columns.map(({ name }) => options.cleared.has(name));
    this.#index = new Map(columns.map(({ name }, n) => [name, n]));
    this.#starts = new Int32Array(columns.length);
    this.#ends = new Int32Array(columns.length);
  }

  beginBatch(): void {
    this.#before += this.row;
    this.row = 0;
    this.withoutLabel = 0;
  }

  /** Converts whole lines. */
  convert(input: Buffer): Buffer {
    const cursor: Cursor = { input, at: 0, output: Buffer.allocUnsafe(input.length + 64), length: 0 };
    try {
      while (cursor.at < input.length) {
        this.row += 1;
        this.#convertRow(cursor);
      }
    } catch (error) {
      if (!(error instanceof MalformedRow)) throw error;
      throw new HoldfastError(
        'INVALID_CHECKSUM',
        `Row ${this.#before + this.row} of table ${this.#options.table} is not a valid row: ${error.message}.`,
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
      if (this.#starts[n] === -1) throw this.#mismatch(`lacks "${this.#options.columns[n]?.name}"`);
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
    const form = this.#options.columns[column]?.form ?? 'TEXT';
    const first = cursor.input[cursor.at] ?? 0;
    if (first === QUOTE) {
      cursor.at += 1;
      if (form === 'HEX') {
        copyHex(cursor);
      } else {
        if (form === 'TAGGED') this.#tag(cursor, TEXT_TAG);
        copyString(cursor);
      }
    } else if (form === 'TAGGED' && startsWith(cursor.input, cursor.at, HEX_KEY)) {
      cursor.at += HEX_KEY.length;
      this.#tag(cursor, HEX_TAG);
      copyString(cursor);
      expect(cursor, CLOSE, 'a value is malformed');
    } else if (form === 'ENUM' && first === 0x30 && this.#cleared[column] !== true) {
      cursor.at += 1;
      reserve(cursor, NO_LABEL.length);
      cursor.length += NO_LABEL.copy(cursor.output, cursor.length);
      this.withoutLabel += 1;
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

  #tag(cursor: Cursor, tag: number): void {
    reserve(cursor, 2);
    putByte(cursor, tag);
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
    return new HoldfastError(
      'SCHEMA_MISMATCH',
      `Row ${this.#before + this.row} of table ${this.#options.table} ${what}.`,
      {
        hint: 'The rows do not have the columns that the manifest names; restore another backup.',
      },
    );
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
