/**
 * One block deflated on the thread pool. Hexadecimal and base64, which is how blobs stand in rows, hold nothing that
 * occurred before, yet zlib looks for it at every byte: there Huffman codes alone take a quarter of the time
 * and less room.
 */
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, deflateRaw, type ZlibOptions } from 'node:zlib';
import { Turns } from './turns.ts';

/** How much of a block is packed to judge it: twice the distance over which deflate finds what occurred before. */
const SAMPLE_BYTES = 64 * 1024;
/** How much of a block is looked at to see whether it is worth judging. */
const GLANCE_BYTES = 4096;
/** What stands between the words and values of everything but one long value: space, newline, `"`, `,` and `:`. */
const SEPARATORS: ReadonlySet<number> = new Set([0x20, 0x0a, 0x22, 0x2c, 0x3a]);
/** A larger share of separators means text or small values, which zlib packs well by itself. */
const FEW = 0.01;

const deflateOnPool = promisify<Buffer, ZlibOptions, Buffer>(deflateRaw);

/**
 * Node's pool has four threads for everything: a thread more than the cores would gain nothing, and one has to
 * stay free for the files that are read and written meanwhile. Of the process, since the pool is.
 */
const deflating = new Turns(Math.max(1, Math.min(availableParallelism(), 3)));

function middleOf(block: Buffer, bytes: number): Buffer {
  const start = Math.max(0, Math.floor((block.length - bytes) / 2));
  return block.subarray(start, start + bytes);
}

function isOneLongValue(block: Buffer): boolean {
  const glance = middleOf(block, GLANCE_BYTES);
  let separators = 0;
  for (const byte of glance) if (SEPARATORS.has(byte)) separators++;
  return separators < glance.length * FEW;
}

async function sampleSize(block: Buffer, options: ZlibOptions): Promise<number> {
  const sample = await deflateOnPool(middleOf(block, SAMPLE_BYTES), { ...options, chunkSize: SAMPLE_BYTES });
  return sample.length;
}

/** Deflates a block when it is its turn; the output is plain deflate whatever was chosen. */
export function deflateBlock(block: Buffer, options: ZlibOptions): Promise<Buffer> {
  return deflating.run(async () => {
    if (!isOneLongValue(block)) return deflateOnPool(block, options);
    const codesOnly = { ...options, strategy: constants.Z_HUFFMAN_ONLY };
    const smaller = (await sampleSize(block, codesOnly)) <= (await sampleSize(block, options));
    return deflateOnPool(block, smaller ? codesOnly : options);
  });
}

/** The share of its size that a piece from the middle of a block keeps when it is deflated. */
export function deflatedShare(block: Buffer): Promise<number> {
  return deflating.run(
    async () => (await sampleSize(block, { level: 1 })) / Math.min(block.length, SAMPLE_BYTES),
  );
}
