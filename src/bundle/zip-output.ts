/**
 * The zip on its way out, entries in the order of the calls, into a sink that need not seek. Own code since
 * archiver 8 keeps every entry in memory and, to end, queues eighteen buffers for each whatever the sink takes:
 * 60,000 small files took it from 280 to 820 MB; and since it deflates on one core. Here the directory waits on
 * disk, blocks of several entries are packed at once, and memory is the same for any number and size of entries.
 */
import type { Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { abortError } from '../errors.ts';
import { BlockPool, BlockReader } from './block-reader.ts';
import { DiskSpool } from './disk-spool.ts';
import { OrderedSink } from './ordered-sink.ts';
import { BLOCK_BYTES, isPackedAlready, type Packer, type Packing, STORE } from './packing.ts';
import {
  descriptor,
  directoryRecord,
  dosTime,
  endRecords,
  localHeader,
  type WrittenEntry,
} from './write-zip-records.ts';
import { STORED } from './zip-methods.ts';

/** What a zip entry is, apart from its content. */
export interface ZipOutputEntry {
  /** ASCII; of a directory with a slash at its end. */
  readonly name: string;
  readonly kind: 'FILE' | 'DIRECTORY' | 'SYMLINK';
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970; kept to what a zip can hold. */
  readonly modifiedAt: number;
}

type EntryHead = Pick<WrittenEntry, 'name' | 'mode' | 'time'>;

const TYPE_BITS = { FILE: 0o100000, DIRECTORY: 0o040000, SYMLINK: 0o120000 } as const;
/** Content up to this size is packed in one go: most files are small, and a trip to the pool for each is dear. */
const SMALL_BYTES = 128 * 1024;

/** Writes entries. After any failure it is of no more use than to be destroyed. */
export class ZipOutput {
  readonly #sink: OrderedSink;
  readonly #directory: DiskSpool;
  readonly #pool = new BlockPool(BLOCK_BYTES);
  #directoryBytes = 0;
  #entries = 0;

  /** @param sink receives the zip; ended by {@link end}, destroyed by {@link destroy} */
  constructor(sink: Writable, spoolDirectory: string) {
    this.#sink = new OrderedSink(sink);
    this.#directory = new DiskSpool(spoolDirectory);
  }

  /**
   * Adds an entry; resolves when its content has been read, though the sink may not have all of it yet: what the
   * sink then fails with is thrown by a later call. `content` is the target of a SYMLINK and empty for a
   * DIRECTORY. Its chunks are copied one by one: each may be overwritten once the next is asked for. An error that
   * `content` throws is thrown on as it is.
   */
  async add(
    entry: ZipOutputEntry,
    content: AsyncIterable<Buffer> | Buffer,
    packing: Packing,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    const head = {
      name: entry.name,
      mode: TYPE_BITS[entry.kind] | entry.mode,
      time: dosTime(entry.modifiedAt),
    };
    if (!Buffer.isBuffer(content)) await this.#addStream(head, content, packing, signal);
    else await this.#addWhole(head, content, entry.kind === 'FILE' ? packing : STORE, signal);
  }

  /** Writes the central directory and ends the sink; resolves when the sink has taken everything. */
  async end(signal: AbortSignal): Promise<void> {
    const writeDirectory = async () => {
      const directoryOffset = this.#sink.offset;
      for await (const chunk of this.#directory.content()) await this.#sink.write(chunk);
      await this.#sink.write(endRecords(this.#entries, directoryOffset, this.#directoryBytes));
    };
    await this.#sink.queue(writeDirectory, signal);
    await this.#sink.idle(signal);
    await this.#sink.end(signal);
    await this.#directory.close();
  }

  /** Stops in the middle. Idempotent; never throws; not to be called once {@link end} has resolved. */
  async destroy(): Promise<void> {
    this.#sink.destroy();
    await this.#directory.close();
  }

  async #addWhole(head: EntryHead, content: Buffer, packing: Packing, signal: AbortSignal): Promise<void> {
    const packed = packing.packWhole(content);
    const smaller = packed.length < content.length;
    const data = smaller ? packed : content;
    const method = smaller ? packing.method : STORED;
    const sizes = { crc: crc32(content), compressedSize: data.length, size: content.length };
    const written = { ...head, ...sizes, method, deferred: false, offset: 0 };
    // A copy: `content` may be used for something else before it is this entry's turn.
    const bytes = Buffer.concat([localHeader(written), data]);
    const write = async () => {
      const { offset } = this.#sink;
      await this.#sink.write(bytes);
      await this.#list({ ...written, offset });
    };
    await this.#sink.queue(write, signal);
  }

  async #addStream(
    head: EntryHead,
    content: AsyncIterable<Buffer>,
    packing: Packing,
    signal: AbortSignal,
  ): Promise<void> {
    const chunks = content[Symbol.asyncIterator]();
    try {
      const blocks = new BlockReader(() => orAborted(chunks.next(), signal), this.#pool);
      const first = await blocks.block();
      if (blocks.ended && first.length <= SMALL_BYTES) {
        await this.#addWhole(head, first, packing, signal);
        this.#pool.giveBack(first);
      } else {
        const worthwhile = packing.method === STORED || !(await isPackedAlready(first));
        await this.#addBlocks(head, first, blocks, worthwhile ? packing : STORE, signal);
      }
    } catch (error) {
      throw signal.aborted ? abortError(signal) : error;
    } finally {
      // A source that is stuck would not let go; who canceled does not wait for it.
      const closing = Promise.resolve(chunks.return?.());
      if (signal.aborted) closing.catch(() => {});
      else await closing;
    }
  }

  /** Sizes are known only at the end, so they follow the data. */
  async #addBlocks(
    head: EntryHead,
    first: Buffer,
    rest: BlockReader,
    packing: Packing,
    signal: AbortSignal,
  ): Promise<void> {
    const { method } = packing;
    const deferred = { ...head, method, deferred: true, crc: 0, compressedSize: 0, size: 0, offset: 0 };
    const packer = packing.newPacker();
    let [crc, size, start] = [0, 0, 0];
    try {
      await this.#sink.queue(async () => {
        start = this.#sink.offset;
        await this.#sink.write(localHeader(deferred));
      }, signal);
      for (let block = first; block.length > 0; block = await rest.block()) {
        crc = crc32(block, crc);
        size += block.length;
        await this.#queuePacked(this.#packed(packer, block), signal);
      }
      await this.#queuePacked(packer.end(), signal);
      await this.#sink.queue(async () => {
        const compressedSize = this.#sink.offset - start - localHeader(deferred).length;
        const written = { ...deferred, crc, size, compressedSize, offset: start };
        await this.#sink.write(descriptor(written));
        await this.#list(written);
      }, signal);
    } catch (error) {
      packer.close();
      throw error;
    }
  }

  async #packed(packer: Packer, block: Buffer): Promise<Buffer> {
    const packed = await packer.pack(block);
    // What is stored as it is belongs to the sink now.
    if (packed !== block) this.#pool.giveBack(block);
    return packed;
  }

  async #queuePacked(packing: Promise<Buffer>, signal: AbortSignal): Promise<void> {
    // Who fails first tells of it; the rest that is on its way fails silently.
    packing.catch(() => {});
    await this.#sink.queue(async () => this.#sink.write(await packing), signal);
  }

  async #list(written: WrittenEntry): Promise<void> {
    const record = directoryRecord(written);
    this.#entries++;
    this.#directoryBytes += record.length;
    await this.#directory.add(record);
  }
}

/** Waits for `work`, but not beyond an abort. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject, resolve } = Promise.withResolvers<T>();
  const onAbort = () => reject(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
