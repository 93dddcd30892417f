/** Bundles whose numbers lie: about places, sizes and how much there is of something. */
import { describe, expect, test } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';
import { asFile, file, never, verifyBundle, writeBundle } from './sample-bundle.ts';
import { forgeBundle, forgedFile } from './zip-builder.ts';

const MIB = 1024 * 1024;
const honest = [forgedFile('files/app/a', 'a'), forgedFile('files/app/b', 'b')];

async function expectRefused(bundle: Buffer, code: string, words: RegExp): Promise<void> {
  const message = expect.stringMatching(words);
  await expect(verifyBundle(bundle)).rejects.toMatchObject({ code, message, hint: expect.any(String) });
}

describe('a manifest is refused before it takes memory', () => {
  const grown = async (json: string): Promise<number> => {
    const bundle = forgeBundle([], { manifestBytes: Buffer.from(json) });
    const before = process.memoryUsage().rss;
    await expectRefused(bundle, 'INVALID_MANIFEST', /manifest/);
    return process.memoryUsage().rss - before;
  };
  test('with millions of wrong elements in a list', async () => {
    expect(await grown(`{"formatVersion":1,"warnings":[${'1,'.repeat(8_000_000)}1]}`)).toBeLessThan(
      600 * MIB,
    );
  });
  test('with millions of objects', async () => {
    const json = `{"formatVersion":1,"warnings":[${'{},'.repeat(5_000_000)}{}]}`;
    expect(await grown(json)).toBeLessThan(300 * MIB);
    await expectRefused(
      forgeBundle([], { manifestBytes: Buffer.from(json) }),
      'INVALID_MANIFEST',
      /too many/,
    );
  });
  test('with the wrong one behind thousands of right ones, of which it tells', async () => {
    const warnings = [...Array.from({ length: 5000 }, () => 'x'), 1];
    const bundle = forgeBundle([], { manifest: (m) => ({ ...m, warnings }) });
    await expectRefused(bundle, 'INVALID_MANIFEST', /at warnings/);
    const right = forgeBundle([], { manifest: (m) => ({ ...m, warnings: warnings.slice(0, -1) }) });
    expect(await verifyBundle(right)).toMatchObject({ entries: 0 });
  });
});

test('a manifest that names a thing twice is refused', async () => {
  const bundle = forgeBundle(honest, { manifest: (m) => ({ ...m, trees: [...m.trees, ...m.trees] }) });
  await expectRefused(bundle, 'INVALID_MANIFEST', /names the tree app twice/);
});

test('what lies behind the manifest is not read', async () => {
  const bundle = forgeBundle(honest, { end: { gap: Buffer.alloc(20 * MIB) } });
  const source = asFile(bundle);
  let given = 0;
  const counting: RandomAccess = {
    ...source,
    read(start, end, signal) {
      const stream = source.read(start, end, signal);
      const push = stream.push.bind(stream);
      stream.push = (chunk: Buffer | null) => {
        given += chunk?.length ?? 0;
        return push(chunk);
      };
      return stream;
    },
  };
  await expect(bundleFormat.openReader(counting, never)).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
  expect(given).toBeLessThan(MIB);
});

test('an extra field in a local header is refused', async () => {
  const forged = forgedFile('files/app/a', 'a', { localExtra: Buffer.from('0100100000000000', 'hex') });
  await expectRefused(forgeBundle([forged]), 'INVALID_CHECKSUM', /files\/app\/a has a header/);
});

describe('the end records', () => {
  const END = 22;
  const LOCATOR = END + 20;
  const ZIP64 = LOCATOR + 56;
  const u16 = (bytes: Buffer, at: number, value: number) => bytes.writeUInt16LE(value, bytes.length - at);
  const u32 = (bytes: Buffer, at: number, value: number) => bytes.writeUInt32LE(value, bytes.length - at);
  const u64 = (bytes: Buffer, at: number, value: bigint) => bytes.writeBigUInt64LE(value, bytes.length - at);
  test.each<[string, (bytes: Buffer) => number]>([
    ['more entries', (bytes) => u64(bytes, ZIP64 - 32, 1n << 40n)],
    ['more entries than a number holds', (bytes) => u64(bytes, ZIP64 - 32, (1n << 64n) - 1n)],
    ['other entries on this disk', (bytes) => u64(bytes, ZIP64 - 24, 1n)],
    ['a bigger directory', (bytes) => u64(bytes, ZIP64 - 40, 1n << 50n)],
    ['a directory elsewhere', (bytes) => u64(bytes, ZIP64 - 48, 0n)],
    ['a directory behind the file', (bytes) => u64(bytes, ZIP64 - 48, 1n << 62n)],
    ['a longer record', (bytes) => u64(bytes, ZIP64 - 4, 100n)],
    ['another disk', (bytes) => u32(bytes, ZIP64 - 16, 1)],
    ['another place of the record', (bytes) => u64(bytes, LOCATOR - 8, 0n)],
    ['the record on another disk', (bytes) => u32(bytes, LOCATOR - 4, 1)],
    ['many disks', (bytes) => u32(bytes, LOCATOR - 16, 7)],
    ['another number of entries in the small record', (bytes) => u16(bytes, END - 10, 1)],
    ['another number on this disk in the small record', (bytes) => u16(bytes, END - 8, 1)],
    ['another disk in the small record', (bytes) => u16(bytes, END - 4, 1)],
    ['another size in the small record', (bytes) => u32(bytes, END - 12, 1)],
    ['another place in the small record', (bytes) => u32(bytes, END - 16, 1)],
    ['a comment in the small record', (bytes) => u16(bytes, END - 20, 1)],
  ])('that tell of %s are refused', async (_name, lie) => {
    const bundle = await writeBundle({ files: [file('a')] });
    expect(await verifyBundle(bundle)).toMatchObject({ files: 1 });
    lie(bundle);
    await expectRefused(bundle, 'INVALID_MANIFEST', /cannot be read/);
  });
});
