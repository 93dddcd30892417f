/**
 * Blocks deflated on the thread pool. Hexadecimal and base64, which is how blobs stand in rows, hold nothing that
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
/** Blocks of long values in a row that one judgement holds for; to judge costs as much as to pack. */
const BLOCKS_A_JUDGEMENT = 16;

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

/** Deflates the blocks of one entry, each when it is its turn; the output is plain deflate whatever was chosen. */
export class BlockDeflater {
  readonly #options: ZlibOptions;
  /** The last judgement, and how many blocks it still holds for. */
  #codesSuffice: Promise<boolean> = Promise.resolve(false);
  #trusted = 0;

  constructor(options: ZlibOptions) {
    this.#options = options;
  }

  deflate(block: Buffer): Promise<Buffer> {
    if (!isOneLongValue(block)) return deflating.run(() => deflateOnPool(block, this.#options));
    const suffice = this.#judge(block);
    return deflating.run(async () => {
      const options = (await suffice)
        ? { ...this.#options, strategy: constants.Z_HUFFMAN_ONLY }
        : this.#options;
      return deflateOnPool(block, options);
    });
  }

  /** Whether codes alone take less room. Values of one entry are much alike, so not every block is packed twice. */
  #judge(block: Buffer): Promise<boolean> {
    if (this.#trusted === 0) {
      this.#codesSuffice = codesSuffice(block, this.#options);
      this.#trusted = BLOCKS_A_JUDGEMENT;
    }
    this.#trusted -= 1;
    return this.#codesSuffice;
  }
}

async function codesSuffice(block: Buffer, options: ZlibOptions): Promise<boolean> {
  const codesOnly = { ...options, strategy: constants.Z_HUFFMAN_ONLY };
  return (await sampleSize(block, codesOnly)) <= (await sampleSize(block, options));
}

/** The share of its size that a piece from the middle of a block keeps when it is deflated. */
export function deflatedShare(block: Buffer): Promise<number> {
  return deflating.run(
    async () => (await sampleSize(block, { level: 1 })) / Math.min(block.length, SAMPLE_BYTES),
  );
}
