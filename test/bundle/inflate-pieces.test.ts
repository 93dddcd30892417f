import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import { asFile, bytesOf, never, verifyBundle } from './sample-bundle.ts';
import { forgeBundle, forgedFile } from './zip-builder.ts';

const BLOCK = 256 * 1024;
const END = Buffer.from([0x03, 0x00]);
const flushed = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };

function blocksOf(content: Buffer, bytes: number): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += bytes) blocks.push(content.subarray(at, at + bytes));
  return blocks;
}

/** As the bundle's own writer deflates. */
function inBlocks(content: Buffer, bytes = BLOCK): Buffer {
  const blocks = blocksOf(content, bytes);
  return Buffer.concat([...blocks.map((block) => deflateRawSync(block, flushed)), END]);
}

/** Each block refers to the one before. */
function inLinkedBlocks(content: Buffer, bytes: number): Buffer {
  const blocks = blocksOf(content, bytes);
  const packed = blocks.map((block, index) => {
    const before = blocks[index - 1];
    return deflateRawSync(block, before === undefined ? flushed : { ...flushed, dictionary: before });
  });
  return Buffer.concat([...packed, END]);
}

/** Bytes that look like the end of a flushed block, where nothing ends. */
function withFalseBorders(content: Buffer): Buffer {
  const result = Buffer.from(content);
  for (let at = 50_000; at + 4 < result.length; at += 70_001) result.write('0000ffff', at, 'hex');
  return result;
}

const words = Buffer.from(
  Array.from({ length: 120_000 }, (_, n) => `word ${(n * 7919) % 10_007} of many, `).join(''),
);
const noise = withFalseBorders(randomBytes(900_000));
const mixed = Buffer.concat([words.subarray(0, 3 * BLOCK), noise, words]);

const forge = (packed: Buffer, content: Buffer) =>
  forgedFile('files/app/a', 'a', { content, packed, method: 8 });

describe('deflated content comes back', () => {
  test.each<[string, Buffer, Buffer]>([
    ['in blocks of our own', words, inBlocks(words)],
    ['in whole blocks and no more', words.subarray(0, 4 * BLOCK), inBlocks(words.subarray(0, 4 * BLOCK))],
    ['in blocks that hold what looks like their end', mixed, inBlocks(mixed)],
    ['in blocks of another size', mixed, inBlocks(mixed, 100_000)],
    ['in blocks that refer to those before', words, inLinkedBlocks(words, BLOCK)],
    ['in small blocks that refer to those before', words, inLinkedBlocks(words, 40_000)],
    ['in one stream', mixed, deflateRawSync(mixed)],
    ['as if stored', noise, deflateRawSync(noise, { level: 0 })],
    [
      'in our blocks, then in one stream',
      mixed,
      Buffer.concat([
        deflateRawSync(mixed.subarray(0, BLOCK), flushed),
        deflateRawSync(mixed.subarray(BLOCK), { dictionary: mixed.subarray(BLOCK - 32_768, BLOCK) }),
      ]),
    ],
  ])('%s', async (_, content, packed) => {
    const entry = forge(packed, content);
    const bundle = forgeBundle([entry]);
    expect(await verifyBundle(bundle)).toMatchObject({ files: 1, bytes: content.length });
    const reader = await bundleFormat.openReader(asFile(bundle), never);
    expect((await bytesOf(reader.readFile(entry.record, never))).equals(content)).toBe(true);
  });
});

describe('deflated content that is not what is recorded is refused', () => {
  const content = words.subarray(0, 2 * BLOCK);
  const packed = inBlocks(content);

  test.each<[string, Buffer]>([
    ['a block more', inBlocks(words.subarray(0, 3 * BLOCK))],
    ['a block less', inBlocks(words.subarray(0, BLOCK))],
    ['blocks in another order', inBlocks(Buffer.concat(blocksOf(content, BLOCK).reverse()))],
    ['bytes hidden behind the end', Buffer.concat([packed, Buffer.from('hidden')])],
    ['no end', packed.subarray(0, -END.length)],
    ['a block that is cut short', Buffer.concat([packed.subarray(0, 1000), packed.subarray(2000)])],
    ['a bomb', deflateRawSync(Buffer.alloc(200 * 1024 * 1024))],
    ['a bomb behind a block', inBlocks(Buffer.concat([content, Buffer.alloc(100 * 1024 * 1024)]), BLOCK)],
    ['a bomb in one block', inBlocks(Buffer.alloc(200 * 1024 * 1024), 200 * 1024 * 1024)],
  ])('%s', async (_, forged) => {
    const entry = forge(forged, content);
    await expect(verifyBundle(forgeBundle([entry]))).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: /files\/app\/a/,
    });
    const reader = await bundleFormat.openReader(asFile(forgeBundle([entry])), never);
    let bytes = 0;
    const read = async () => {
      for await (const chunk of reader.readFile(entry.record, never)) bytes += chunk.length;
    };
    await expect(read()).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    expect(bytes).toBeLessThanOrEqual(content.length);
  });
});
