/** A page of rows out of row lines, and which parts of a table hold it. */
import { HoldfastError } from '../errors.ts';
import type { RowRange } from './bundle.ts';
import type { TablePart } from './check-entries.ts';

const NEWLINE = 0x0a;

/** The rows of one part that belong to a range. */
export interface PartRange extends RowRange {
  readonly part: TablePart;
}

/** @throws INVALID_INPUT */
export function checkRange({ from, count }: RowRange): void {
  if (Number.isSafeInteger(from) && from >= 0 && Number.isSafeInteger(count) && count >= 0) return;
  throw new HoldfastError('INVALID_INPUT', `There are no ${count} rows after the first ${from}.`, {
    hint: 'Ask for whole numbers from 0 on.',
  });
}

/** The parts that hold rows of the range, in order; `from` counts from the beginning of each. */
export function partsOfRange(parts: readonly TablePart[], range: RowRange): PartRange[] {
  const found: PartRange[] = [];
  const end = range.from + range.count;
  let before = 0;
  for (const part of parts) {
    const from = Math.max(range.from, before);
    const count = Math.min(end, before + part.rows) - from;
    if (count > 0) found.push({ part, from: from - before, count });
    before += part.rows;
  }
  return found;
}

/** Takes the rows of the range out of row lines, and reads no further. */
export async function* takeRows(
  rowLines: AsyncIterable<Buffer>,
  { from, count }: RowRange,
): AsyncGenerator<Buffer> {
  let row = 0;
  for await (const chunk of rowLines) {
    let start = row >= from ? 0 : chunk.length;
    let end = chunk.length;
    for (let newline = chunk.indexOf(NEWLINE); newline >= 0; newline = chunk.indexOf(NEWLINE, newline + 1)) {
      row++;
      if (row === from) start = newline + 1;
      if (row === from + count) {
        end = newline + 1;
        break;
      }
    }
    if (start < end) yield chunk.subarray(start, end);
    if (row >= from + count) return;
  }
}
