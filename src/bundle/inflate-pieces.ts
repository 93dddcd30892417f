/**
 * Inflates what packing.ts deflated: blocks that each stand for themselves and end at a byte border, so several are
 * inflated at once on the thread pool. Where the borders are is guessed from the bytes that a flush leaves; a guess
 * holds only when the piece gives exactly a block. What was deflated otherwise goes on as one stream, from the first
 * piece that is none.
 */
import { availableParallelism } from 'node:os';
import { constants, inflateRaw, type ZlibOptions } from 'node:zlib';
import { z } from 'zod';
import { letGo } from '../let-go.ts';
import { BLOCK_BYTES } from './packing.ts';
import { Turns } from './turns.ts';

/** What ends a deflated block that was flushed: an empty stored block. */
const BORDER = Buffer.from([0x00, 0x00, 0xff, 0xff]);
/** What follows the last block; see packing.ts. */
const END = Buffer.from([0x03, 0x00]);
/** A block that deflate cannot make smaller grows by less than this. */
const MOST_PIECE_BYTES = BLOCK_BYTES + 16 * 1024;
/** zlib makes room for more as soon as what it has is full. */
const OUTPUT_BYTES = BLOCK_BYTES + 64;
/** How far deflate looks back. */
const WINDOW_BYTES = 32 * 1024;
/** Pieces under way at once, each with its output. */
const AHEAD = 3;

/** What `info: true` makes of the result, which the types do not tell. */
const inflateInfo = z.object({
  buffer: z.instanceof(Buffer),
  engine: z.object({ bytesWritten: z.number() }),
});

/** How an entry is inflated. */
export interface InflateOptions {
  /** Whether an output is freed once the next is asked for: the reader keeps no view of it. */
  readonly free: boolean;
  /** Unpacks the rest of an entry as one stream, from where the bytes before end, given what they came to last. */
  readonly rest: (raw: AsyncIterable<Buffer>, bytesBefore: number, before: Buffer) => AsyncIterable<Buffer>;
}

interface Piece {
  readonly packed: Buffer;
  /** Undefined when the piece does not stand for itself. */
  readonly inflated: Promise<Buffer | undefined>;
}

const OPTIONS: ZlibOptions = {
  chunkSize: OUTPUT_BYTES,
  maxOutputLength: OUTPUT_BYTES,
  finishFlush: constants.Z_SYNC_FLUSH,
  info: true,
};

/**
 * Of the threads of Node's pool, which are for everything: more than there are cores would gain nothing, and one has
 * to stay free for the file that is read meanwhile.
 */
const inflating = new Turns(Math.max(1, Math.min(availableParallelism(), 3)));

function inflate(packed: Buffer): Promise<Buffer | undefined> {
  return inflating.run(
    () =>
      new Promise((resolve) => {
        inflateRaw(packed, OPTIONS, (error, result: unknown) => {
          const { data } = error === null ? inflateInfo.safeParse(result) : { data: undefined };
          resolve(data?.engine.bytesWritten === packed.length ? data.buffer : undefined);
        });
      }),
  );
}

/** Cuts raw content behind its borders; also where none comes for longer than a block can be. */
async function* cutAtBorders(raw: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of raw) {
    // A border may lie across two chunks; what was looked through before is not looked at again.
    let from = Math.max(0, rest.length - BORDER.length + 1);
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(BORDER, from); at >= 0; at = rest.indexOf(BORDER)) {
      yield rest.subarray(0, at + BORDER.length);
      rest = rest.subarray(at + BORDER.length);
      from = 0;
    }
    if (rest.length > MOST_PIECE_BYTES) {
      yield rest;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0) yield rest;
}

async function* asStream(pieces: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* pieces;
  yield* rest;
}

/**
 * The content of an entry.
 * @param compressedSize of the entry, bytes
 * @throws Error for what is no deflated content
 */
export async function* inflatePieces(
  raw: AsyncIterable<Buffer>,
  compressedSize: number,
  options: InflateOptions,
): AsyncGenerator<Buffer> {
  const cut = cutAtBorders(raw);
  const ahead: Piece[] = [];
  let position = 0;
  const window = Buffer.alloc(WINDOW_BYTES);
  let windowBytes = 0;
  let ended = false;
  try {
    for (;;) {
      while (!ended && ahead.length < AHEAD) {
        const next = await cut.next();
        if (next.done === true) ended = true;
        else ahead.push({ packed: next.value, inflated: inflate(next.value) });
      }
      const piece = ahead[0];
      if (piece === undefined) throw new Error('the end of the deflated content is missing');
      if (piece.packed.equals(END) && position + END.length === compressedSize) return;
      const inflated = await piece.inflated;
      const isLast = position + piece.packed.length + END.length === compressedSize;
      if (inflated === undefined || (inflated.length !== BLOCK_BYTES && !isLast)) break;
      ahead.shift();
      position += piece.packed.length;
      // Looked back at only by what follows in one stream, and then only so far.
      windowBytes = inflated.copy(window, 0, Math.max(0, inflated.length - WINDOW_BYTES));
      yield inflated;
      if (options.free) letGo(inflated);
    }
    const packed = ahead.map((piece) => piece.packed);
    yield* options.rest(asStream(packed, cut), position, window.subarray(0, windowBytes));
  } finally {
    await cut.return(undefined);
  }
}
