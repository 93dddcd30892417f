import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  descriptor,
  directoryRecord,
  dosTime,
  endRecords,
  localHeader,
} from '../../src/bundle/write-zip-records.ts';
import {
  descriptorMatches,
  localHeaderMatches,
  parseDirectoryRecord,
  parseEnd,
} from '../../src/bundle/zip-records.ts';
import { directory, listEntries, openBundle, writeBundle } from './sample-bundle.ts';

const size = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 0xffff, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000),
);

test('sizes and offsets on both sides of 4 GiB are read as they were written', () => {
  fc.assert(
    fc.property(size, size, size, fc.boolean(), (bytes, compressedSize, offset, deferred) => {
      const entry = {
        name: 'db/t.json',
        mode: 0o100600,
        time: 1,
        method: 8,
        crc: 7,
        size: bytes,
        compressedSize,
        offset,
      };
      const written = { ...entry, deferred };
      const record = directoryRecord(written);
      const parsed = parseDirectoryRecord(record, 0);
      expect(parsed).toEqual({ entry: { ...entry, flags: deferred ? 8 : 0 }, next: record.length });
      const read = { ...parsed.entry, end: 0 };
      if (!deferred) return;
      expect(descriptorMatches(descriptor(written), read)).toBe(true);
      expect(descriptorMatches(descriptor({ ...written, size: bytes === 0 ? 1 : bytes - 1 }), read)).toBe(
        false,
      );
      expect(localHeaderMatches(localHeader(written), read)).toBe(true);
    }),
  );
});

test('the end of a zip of any size is read as it was written', () => {
  fc.assert(
    fc.property(size, size, fc.nat(10_000_000), (entries, offset, bytes) => {
      fc.pre(offset + bytes < Number.MAX_SAFE_INTEGER - 100);
      const end = endRecords(entries, offset, bytes);
      expect(parseEnd(end, offset + bytes + end.length)).toEqual({ entries, offset, end: offset + bytes });
    }),
  );
});

test('times that a zip cannot hold are moved to the nearest it can', () => {
  expect(dosTime(-1)).toBe(dosTime(Date.UTC(1980, 0, 1)));
  expect(dosTime(Number.MAX_SAFE_INTEGER)).toBe(dosTime(Date.UTC(2107, 11, 31, 23, 59, 58)));
});

test('more than 65,535 entries are all there', async () => {
  const files = Array.from({ length: 66_000 }, (_, i) => directory(`d${String(i).padStart(5, '0')}`));
  const reader = await openBundle(await writeBundle({ files }));
  expect(await listEntries(reader)).toHaveLength(66_000);
});
