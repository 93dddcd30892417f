/** entries.ndjson as records, one at a time. */
import type { z } from 'zod';
import { LONGEST_ENTRY_LINE } from './limits.ts';
import { type EntryRecord, entryRecordSchema, entrySaltSchema } from './manifest.ts';
import { malformedBundle } from './refusal.ts';

const NEWLINE = 0x0a;

function bounded(line: Buffer): Buffer {
  if (line.length > LONGEST_ENTRY_LINE) throw malformedBundle('entries.ndjson holds a line that is too long');
  return line;
}

async function* lines(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of content) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield bounded(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bounded(bytes.subarray(start));
  }
  if (rest.length > 0) throw malformedBundle('entries.ndjson ends in the middle of a line');
}

function parsed<T>(schema: z.ZodType<T>, line: Buffer, number: number): T {
  try {
    return schema.parse(JSON.parse(line.toString()));
  } catch (error) {
    throw malformedBundle(`line ${number} of entries.ndjson is malformed`, error);
  }
}

/**
 * Every record, in order.
 * @param salted whether the list has to begin with a line of randomness, as in sealed bundles
 * @throws INVALID_MANIFEST where a line is malformed
 */
export async function* readEntryList(
  content: AsyncIterable<Buffer>,
  salted: boolean,
): AsyncGenerator<EntryRecord> {
  let number = 0;
  for await (const line of lines(content)) {
    if (++number === 1 && salted) parsed(entrySaltSchema, line, number);
    else yield parsed(entryRecordSchema, line, number);
  }
  if (salted && number === 0) throw malformedBundle('entries.ndjson lacks its first line');
}
