/** One row line after the other into one line of text, columns in the order of a statement. */
import { HoldfastError } from '../../../errors.ts';
import {
  type Cursor,
  expectByte,
  MalformedRow,
  putNull,
  reserve,
  skipSpace,
  skipString,
  startsWith,
} from './cursor.ts';

const LINE_END = 0x0a;
const TAB = 0x09;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** What the rows belong to. */
export interface RowTextOptions {
  /** The table as people read it, for messages. */
  readonly table: string;
  /** The keys every row has, in the order of the statement's columns. */
  readonly columns: readonly string[];
  /** Columns whose values are dropped: NULL instead. */
  readonly cleared: ReadonlySet<string>;
}

/** Scans rows; how a value is written is the database's. Tabs end fields, line feeds end rows. */
export abstract class RowTextScanner {
  readonly #options: RowTextOptions;
  /** `"name":` of each column as exports and JSON.stringify write it. */
  readonly #keys: readonly Buffer[];
  readonly #cleared: readonly boolean[];
  readonly #index: ReadonlyMap<string, number>;
  /** Where each column's text begins and ends in the output; -1 while a row has not shown it. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  constructor(options: RowTextOptions) {
    this.#options = options;
    this.#keys = options.columns.map((name) => Buffer.from(`${JSON.stringify(name)}:`));
    this.#cleared = options.columns.map((name) => options.cleared.has(name));
    this.#index = new Map(options.columns.map((name, n) => [name, n]));
    this.#starts = new Int32Array(options.columns.length);
    this.#ends = new Int32Array(options.columns.length);
  }

  /** The row at hand, from 1 in the table; for messages. */
  protected abstract get rowNumber(): number;

  /** Writes the value at the cursor, with room made for it. `cleared` when it will be NULL all the same. */
  protected abstract writeValue(cursor: Cursor, column: number, cleared: boolean): void;

  /** Runs `work`, and tells a malformed row with its table and number. @throws HoldfastError INVALID_CHECKSUM */
  protected telling(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MalformedRow)) throw error;
      throw new HoldfastError(
        'INVALID_CHECKSUM',
        `Row ${this.rowNumber} of table ${this.#options.table} is not a valid row: ${error.message}.`,
        { hint: 'The bundle was damaged or edited; restore another backup.', cause: error },
      );
    }
  }

  /** Converts the row at the cursor. @throws MalformedRow; HoldfastError SCHEMA_MISMATCH for other keys */
  protected convertRow(cursor: Cursor): void {
    const begin = cursor.length;
    const count = this.#keys.length;
    this.#starts.fill(-1);
    skipSpace(cursor);
    expectByte(cursor, OPEN, 'it does not begin with {');
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
    expectByte(cursor, LINE_END, 'something follows the object');
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
    expectByte(cursor, QUOTE, 'a key is missing');
    skipString(cursor);
    let name: unknown;
    try {
      name = JSON.parse(cursor.input.toString('utf8', start, cursor.at));
    } catch {
      throw new MalformedRow('a key is malformed');
    }
    skipSpace(cursor);
    expectByte(cursor, COLON, 'a colon is missing');
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
    const cleared = this.#cleared[column] === true;
    this.writeValue(cursor, column, cleared);
    if (cleared) {
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
    return new HoldfastError(
      'SCHEMA_MISMATCH',
      `Row ${this.rowNumber} of table ${this.#options.table} ${what}.`,
      {
        hint: 'The rows do not have the columns that the manifest names; restore another backup.',
      },
    );
  }
}
