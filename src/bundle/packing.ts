/**
 * How content is packed on its way into a zip, block by block on the thread pool. Deflate works on many blocks at
 * once: each is deflated on its own, flushed to a byte border (`Z_SYNC_FLUSH`), and the pieces joined in order are
 * one deflate stream, two bytes short of its end. zlib's own stream would use one core at a time. Zstandard is one
 * stream and one frame an entry (joined frames are legal, but tools stop after the first), fast enough on one core.
 */
import { finished } from 'node:stream';
import {
  constants,
  createZstdCompress,
  deflateRawSync,
  type ZstdCompress,
  zstdCompressSync,
} from 'node:zlib';
import { BlockDeflater, deflatedShare } from './deflate-block.ts';
import type { Compression } from './manifest.ts';
import { DEFLATED, STORED, ZSTANDARD } from './zip-methods.ts';

/** Blocks are cut to this size: big enough that what a block cannot refer to costs under 1 % of size. */
export const BLOCK_BYTES = 256 * 1024;
/** What zlib hands out at a time: enough for a block of rows, be it hexadecimal. */
const OUTPUT_BYTES = 128 * 1024;
/** Ends a deflate stream: a last block, empty. */
const DEFLATE_END = Buffer.from([0x03, 0x00]);
/** On rows level 3 costs up to five times as much for a few percent. */
const ZSTD_LEVEL = 1;
/** Content that keeps more than this share of its size is stored: it was compressed before. */
const NOT_WORTH_IT = 0.97;

/** Packs one entry. */
export interface Packer {
  /** Packs the next block; calls may overlap, and their results belong in the order of the calls. */
  pack(block: Buffer): Promise<Buffer>;
  /** What follows the last block. */
  end(): Promise<Buffer>;
  /** Lets go of what a packer holds that will not be ended. Idempotent. */
  close(): void;
}

/** A way of packing. */
export interface Packing {
  /** As zip numbers it. */
  readonly method: number;
  newPacker(): Packer;
  /** All of a small content at once. */
  packWhole(content: Buffer): Buffer;
}

/** Content as it is. */
export const STORE: Packing = {
  method: STORED,
  newPacker: () => ({
    pack: async (block) => block,
    end: async () => Buffer.alloc(0),
    close: () => {},
  }),
  packWhole: (content) => content,
};

function deflate(level: number): Packing {
  const options = { level, chunkSize: OUTPUT_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
  return {
    method: DEFLATED,
    newPacker: () => {
      const deflater = new BlockDeflater(options);
      return {
        pack: (block) => deflater.deflate(block),
        end: async () => DEFLATE_END,
        close: () => {},
      };
    },
    // zlib's own chunk would keep 16 KB of memory for a file of ten bytes.
    packWhole: (content) => deflateRawSync(content, { level, chunkSize: Math.max(64, content.length) }),
  };
}

/** One Zstandard frame from blocks. */
class ZstdPacker implements Packer {
  readonly #stream: ZstdCompress;
  #output: Buffer[] = [];
  #lastBlock: Promise<unknown> = Promise.resolve();

  constructor() {
    this.#stream = createZstdCompress({
      chunkSize: OUTPUT_BYTES,
      params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
    });
    this.#stream.on('data', (piece: Buffer) => this.#output.push(piece));
    // The callbacks of write and finished tell of errors; without a listener they would end the process.
    this.#stream.on('error', () => {});
  }

  pack(block: Buffer): Promise<Buffer> {
    const packed = this.#done((done) => this.#stream.write(block, done));
    this.#lastBlock = packed;
    return packed;
  }

  async end(): Promise<Buffer> {
    // Node ends the frame with a block that still waits, and once more at the end: that would be a second frame.
    await this.#lastBlock;
    return this.#done((done) => finished(this.#stream.end(), done));
  }

  close(): void {
    this.#stream.destroy();
  }

  async #done(start: (done: (error?: Error | null) => void) => void): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
    const output = Buffer.concat(this.#output);
    this.#output = [];
    return output;
  }
}

const ZSTD: Packing = {
  method: ZSTANDARD,
  newPacker: () => new ZstdPacker(),
  packWhole: (content) =>
    zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
};

/** Each setting's way of packing. */
export const PACKINGS: Readonly<Record<Compression, Packing>> = {
  DEFLATE_1: deflate(1),
  DEFLATE_6: deflate(6),
  STORE,
  ZSTD,
};

/** Whether packing would be in vain, judged by an entry's first block. */
export async function isPackedAlready(block: Buffer): Promise<boolean> {
  return (await deflatedShare(block)) > NOT_WORTH_IT;
}
