/** Rows out of chunks that end anywhere. */
import { isUtf8 } from 'node:buffer';
import { bigFields } from './big-row.ts';
import { MalformedRow } from './malformed-row.ts';
import { exactNumber } from './values.ts';

/** Lines beyond this are read without making a string of them, bytes. */
const BIG_LINE_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;

/** One row. */
export interface Row {
  /** Column by column, as JSON.parse has it, or already as values. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The same with every number as it is written. */
  exact(): Readonly<Record<string, unknown>>;
}

/**
 * @param columns - how many a row must have
 * @throws MalformedRow for a line that is no row
 */
export function* readLines(chunks: Iterable<Buffer>, columns: number): Generator<Row, void, undefined> {
  let begun: Buffer[] = [];
  for (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      begun.push(chunk);
      continue;
    }
    const first = chunk.indexOf(NEWLINE) + 1;
    begun.push(chunk.subarray(0, first));
    yield* rowsOf(Buffer.concat(begun), columns);
    if (first < end) yield* rowsOf(chunk.subarray(first, end), columns);
    begun = end < chunk.length ? [chunk.subarray(end)] : [];
  }
  if (begun.length > 0) throw new MalformedRow('its line does not end');
}

/** @param block - whole lines; only one when it is big */
function* rowsOf(block: Buffer, columns: number): Generator<Row, void, undefined> {
  if (!isUtf8(block)) throw new MalformedRow('its line is not UTF-8');
  if (block.length > BIG_LINE_BYTES && block.indexOf(NEWLINE) === block.length - 1) {
    const fields = bigFields(block);
    yield checked({ fields, exact: () => fields }, columns);
    return;
  }
  const lines = block.toString('utf8', 0, block.length - 1).split('\n');
  for (const line of lines) yield checked(parsedRow(line), columns);
}

function parsedRow(line: string): Row {
  let exact: Readonly<Record<string, unknown>> | undefined;
  return {
    fields: parseObject(line),
    exact: () => {
      exact ??= parseObject(line, (_key, value, { source }) =>
        typeof value === 'number' ? exactNumber(source) : value,
      );
      return exact;
    },
  };
}

type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;

function parseObject(line: string, reviver?: Reviver): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    // The library's types do not know the third argument of a reviver yet; every Node that runs this has it.
    json = JSON.parse(line, reviver as Parameters<typeof JSON.parse>[1]);
  } catch (error) {
    if (error instanceof MalformedRow) throw error;
    throw new MalformedRow('its line is no JSON');
  }
  // An object is asked for its own properties only.
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw new MalformedRow('its line is no JSON object');
}

function checked(row: Row, columns: number): Row {
  if (Object.keys(row.fields).length === columns) return row;
  throw new MalformedRow('it has other columns than the bundle says', 'SCHEMA_MISMATCH');
}
