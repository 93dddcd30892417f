/** Reads a page of rows straight from a bundle, without reading the rest of it. */
import type { RowRange } from '../bundle/bundle.ts';
import { HoldfastError } from '../errors.ts';
import type { TableName } from '../source/source.ts';
import type { Actor, BundledRow, Unlock } from './engine.ts';
import { findBundle, openReader } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { checkUnlock } from './request-secrets.ts';
import { tableLabel } from './table-order.ts';

/** Rows that one page may have. */
export const PAGE_ROWS = 100;
/** Bytes of JSON that the rows of one page may have together. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** Bytes of JSON above which a row is told by its size alone. */
const ROW_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Reads the rows of a range, in the order of the bundle; fewer when the table ends.
 * @throws HoldfastError NOT_FOUND without such a backup or table; INVALID_INPUT for a range that is none or has more
 * than {@link PAGE_ROWS} rows, and when its rows are too large together; whatever reading a bundle throws
 */
export async function readRows(
  parts: EngineParts,
  { workspaceId }: Actor,
  backupId: string,
  name: TableName,
  range: RowRange,
  signal: AbortSignal,
  unlock?: Unlock,
): Promise<readonly BundledRow[]> {
  if (range.count > PAGE_ROWS) {
    throw new HoldfastError('INVALID_INPUT', `A page has at most ${PAGE_ROWS} rows, not ${range.count}.`, {
      field: 'first',
      hint: 'Read the table page by page.',
    });
  }
  checkUnlock(unlock);
  const reader = await openReader(parts, await findBundle(parts, workspaceId, { backupId }), unlock, signal);
  try {
    const table = reader.manifest.database?.tables.find(
      (held) => held.schema === name.schema && held.name === name.name,
    );
    if (table === undefined) {
      throw new HoldfastError('NOT_FOUND', `The backup holds no table ${tableLabel(name)}.`);
    }
    return await pageOf(reader.readRows(table, range, signal), range.from, tableLabel(name));
  } finally {
    await reader.close();
  }
}

/** Holds no more than a page in memory, however large the rows are. */
async function pageOf(
  rowLines: AsyncIterable<Buffer>,
  from: number,
  label: string,
): Promise<readonly BundledRow[]> {
  const page: BundledRow[] = [];
  let pageBytes = 0;
  let rowBytes = 0;
  let pieces: Buffer[] = [];
  for await (const chunk of rowLines) {
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.length : newline;
      rowBytes += end - start;
      // A copy: the reader may use the memory of a chunk again.
      if (rowBytes <= ROW_BYTES) pieces.push(Buffer.from(chunk.subarray(start, end)));
      else pieces = [];
      start = end + 1;
      if (newline < 0) break;
      const index = from + page.length;
      const tooLarge = rowBytes > ROW_BYTES;
      if (!tooLarge) pageBytes += rowBytes;
      if (pageBytes > PAGE_BYTES) throw tooMuch(label, page.length);
      page.push({
        index,
        sizeBytes: rowBytes,
        row: tooLarge ? null : parsed(Buffer.concat(pieces).toString(), label, index),
      });
      rowBytes = 0;
      pieces = [];
    }
  }
  return page;
}

function tooMuch(label: string, fitting: number): HoldfastError {
  return new HoldfastError(
    'INVALID_INPUT',
    `These rows of ${label} are larger than ${PAGE_BYTES / 1024 / 1024} MiB together.`,
    { field: 'first', hint: `Ask for fewer: the first ${fitting} of them fit.` },
  );
}

function parsed(line: string, label: string, index: number): unknown {
  try {
    return JSON.parse(line, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && !isExact(context?.source ?? '') ? context?.source : value,
    );
  } catch (cause) {
    throw new HoldfastError('INVALID_CHECKSUM', `Row ${index + 1} of ${label} is damaged in the bundle.`, {
      hint: 'Verify the backup to see what else is.',
      cause,
    });
  }
}

/** Whether a client that reads a JSON number into a double gets all of it: 15 digits always survive. */
function isExact(source: string): boolean {
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '');
  return digits.length <= 15 && Number.isFinite(Number(source));
}
