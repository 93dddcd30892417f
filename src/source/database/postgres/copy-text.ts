/**
 * Turns row lines into the text that `COPY … FROM STDIN` takes, byte by byte: nothing is parsed into JavaScript
 * values, so every digit and every byte survives, and memory stays at a chunk plus the largest row.
 */
import { letGoIfWhole } from '../../../let-go.ts';
import type { Cursor } from '../row-text/cursor.ts';
import { type RowTextOptions, RowTextScanner } from '../row-text/row-text-scanner.ts';
import { copyString } from './json-string.ts';
import { copyLiteral, copyNested } from './json-value.ts';
import { PlainRows } from './plain-rows.ts';

const LINE_END = 0x0a;
const QUOTE = 0x22;
const OPEN = 0x7b;
const OPEN_ARRAY = 0x5b;

/** Small chunks are gathered up to this many bytes before they are converted and sent. */
const WORTH_CONVERTING = 128 * 1024;

/** A buffer that grew beyond this for a large row is let go behind it. */
const WORTH_KEEPING = 1024 * 1024;

/**
 * Converts row lines to COPY text. A chunk stays as it is until the one after the next is asked for: two buffers take
 * turns. Those of `rows` are its own once they are yielded: their memory is given back as soon as they are converted.
 * @throws HoldfastError INVALID_CHECKSUM for a line that is no JSON object, SCHEMA_MISMATCH for one whose keys
 * are not the columns; both name table and row.
 */
export async function* toCopyText(
  rows: AsyncIterable<Buffer>,
  options: RowTextOptions,
): AsyncGenerator<Buffer> {
  const scanner = new CopyScanner(options);
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of rows) {
    pending.push(chunk);
    bytes += chunk.length;
    const last = chunk.lastIndexOf(LINE_END);
    if (last === -1 || bytes < WORTH_CONVERTING) continue;
    const rest = chunk.subarray(last + 1);
    const complete = pending.length === 1 ? chunk : Buffer.concat(pending);
    const text = scanner.convert(complete.subarray(0, complete.length - rest.length));
    const done = pending;
    pending = rest.length > 0 ? [Buffer.from(rest)] : [];
    bytes = rest.length;
    for (const taken of done) letGoIfWhole(taken);
    letGoIfWhole(complete);
    yield text;
  }
  const left = Buffer.concat(pending);
  if (left.length > 0) {
    yield scanner.convert(left.at(-1) === LINE_END ? left : Buffer.concat([left, Buffer.from('\n')]));
  }
}

class CopyScanner extends RowTextScanner {
  readonly #plain: PlainRows;
  #row = 0;
  /** The buffer of the last chunk, and that of the one before it, which is free. */
  #last: Buffer = Buffer.alloc(0);
  #free: Buffer = Buffer.alloc(0);

  constructor(options: RowTextOptions) {
    super(options);
    this.#plain = new PlainRows(options.columns, options.cleared);
  }

  protected get rowNumber(): number {
    return this.#row;
  }

  /** Converts whole lines. */
  convert(input: Buffer): Buffer {
    const cursor: Cursor = { input, at: 0, output: this.#room(input.length + 64), length: 0 };
    this.telling(() => {
      const mayBePlain = this.#plain.mayConvert(input);
      for (;;) {
        if (mayBePlain) this.#row += this.#plain.convert(cursor);
        if (cursor.at === input.length) break;
        this.#row += 1;
        this.convertRow(cursor);
      }
    });
    this.#free = this.#last;
    this.#last = cursor.output.length > WORTH_KEEPING ? Buffer.alloc(0) : cursor.output;
    return cursor.output.subarray(0, cursor.length);
  }

  #room(bytes: number): Buffer {
    return this.#free.length >= bytes ? this.#free : Buffer.allocUnsafe(bytes);
  }

  protected writeValue(cursor: Cursor): void {
    const first = cursor.input[cursor.at] ?? 0;
    if (first === QUOTE) {
      cursor.at += 1;
      copyString(cursor);
    } else if (first === OPEN || first === OPEN_ARRAY) {
      copyNested(cursor);
    } else {
      copyLiteral(cursor);
    }
  }
}
