/** Rows out of chunks that end anywhere. */
import { isUtf8 } from 'node:buffer';
import { bigFields } from './big-row.ts';
import { MalformedRow } from './malformed-row.ts';
import { exactNumber } from './values.ts';

/** Lines beyond this are read without making a string of them, bytes. */
const BIG_LINE_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;

/** Lines that are made strings at once, bytes: what they leave behind lives shortly. */
const BLOCK_BYTES = 64 * 1024;

/** Column by column, as JSON.parse has it, or already as values. */
export type Fields = Readonly<Record<string, unknown>>;

/** Takes one row; `line` is undefined when `fields` are values already, every digit of them. */
export type RowTaker = (fields: Fields, line: string | undefined) => void;

/**
 * Hands every row to `take`. A callback, since a generator costs as much as parsing does.
 *
 * @throws MalformedRow for a line that is no row
 */
export function readLines(chunks: Iterable<Buffer>, take: RowTaker): void {
  let begun: Buffer[] = [];
  for (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      begun.push(chunk);
      continue;
    }
    let start = 0;
    if (begun.length > 0) {
      start = chunk.indexOf(NEWLINE) + 1;
      begun.push(chunk.subarray(0, start));
      rowsOf(Buffer.concat(begun), take);
    }
    while (start < end) {
      // At least one line, and no more than to the last one's end.
      const within = chunk.subarray(0, Math.min(end, start + BLOCK_BYTES)).lastIndexOf(NEWLINE) + 1;
      const stop = within > start ? within : chunk.indexOf(NEWLINE, start) + 1;
      rowsOf(chunk.subarray(start, stop), take);
      start = stop;
    }
    begun = end < chunk.length ? [chunk.subarray(end)] : [];
  }
  if (begun.length > 0) throw new MalformedRow('its line does not end');
}

/** The fields of a line with every number as it is written. */
export function exactFields(line: string): Fields {
  return parseObject(line, (_key, value, { source }) =>
    typeof value === 'number' ? exactNumber(source) : value,
  );
}

/** @param block - whole lines; only one when it is big */
function rowsOf(block: Buffer, take: RowTaker): void {
  if (!isUtf8(block)) throw new MalformedRow('its line is not UTF-8');
  if (block.length > BIG_LINE_BYTES && block.indexOf(NEWLINE) === block.length - 1) {
    take(bigFields(block), undefined);
    return;
  }
  for (const line of block.toString('utf8', 0, block.length - 1).split('\n')) take(parseObject(line), line);
}

type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;

function parseObject(line: string, reviver?: Reviver): Fields {
  let json: unknown;
  try {
    // The library's types do not know the third argument of a reviver yet; every Node that runs this has it.
    json = JSON.parse(line, reviver as Parameters<typeof JSON.parse>[1]);
  } catch (error) {
    if (error instanceof MalformedRow) throw error;
    throw new MalformedRow('its line is no JSON');
  }
  // An object is asked for its own properties only.
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Fields;
  throw new MalformedRow('its line is no JSON object');
}
