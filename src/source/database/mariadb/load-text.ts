/**
 * Turns row lines into the text that LOAD DATA takes, byte by byte: nothing is parsed into JavaScript values, so
 * every digit and every byte survives. Tabs end fields, line feeds end rows, backslashes escape, `\N` is NULL.
 */
import { type Cursor, expectByte, reserve, startsWith } from '../row-text/cursor.ts';
import { RowTextScanner } from '../row-text/row-text-scanner.ts';
import type { ValueForm } from './column-values.ts';
import { copyHex, copyLiteral, copyString, putByte } from './json-scanner.ts';

const LINE_END = 0x0a;
const QUOTE = 0x22;
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
  const scanner = new LoadScanner(options);
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

class LoadScanner extends RowTextScanner {
  readonly #forms: readonly ValueForm[];
  /** Rows of batches before this one. */
  #before = 0;
  /** Rows of this batch. */
  row = 0;
  withoutLabel = 0;

  constructor({ table, columns, cleared }: LoadTextOptions) {
    super({ table, columns: columns.map(({ name }) => name), cleared });
    this.#forms = columns.map(({ form }) => form);
  }

  beginBatch(): void {
    this.#before += this.row;
    this.row = 0;
    this.withoutLabel = 0;
  }

  protected get rowNumber(): number {
    return this.#before + this.row;
  }

  /** Converts whole lines. */
  convert(input: Buffer): Buffer {
    const cursor: Cursor = { input, at: 0, output: Buffer.allocUnsafe(input.length + 64), length: 0 };
    this.telling(() => {
      while (cursor.at < input.length) {
        this.row += 1;
        this.convertRow(cursor);
      }
    });
    return cursor.output.subarray(0, cursor.length);
  }

  protected writeValue(cursor: Cursor, column: number, cleared: boolean): void {
    const form = this.#forms[column] ?? 'TEXT';
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
      expectByte(cursor, CLOSE, 'a value is malformed');
    } else if (form === 'ENUM' && first === 0x30 && !cleared) {
      cursor.at += 1;
      reserve(cursor, NO_LABEL.length);
      cursor.length += NO_LABEL.copy(cursor.output, cursor.length);
      this.withoutLabel += 1;
    } else {
      copyLiteral(cursor);
    }
  }

  #tag(cursor: Cursor, tag: number): void {
    reserve(cursor, 2);
    putByte(cursor, tag);
  }
}
