/** The central directory of a zip, held as the bytes it is: the one thing of a bundle that stays in memory. */
import type { RandomAccess } from '../storage/storage.ts';
import type { BundleLimits } from './bundle.ts';
import { MOST_DIRECTORY_BYTES } from './limits.ts';
import { readRange } from './read-range.ts';
import { malformedBundle } from './refusal.ts';
import {
  type DirectoryPlace,
  END_BYTES,
  FLAG_DESCRIPTOR,
  LOCAL_HEADER_BYTES,
  LOCATOR_BYTES,
  MOST_DESCRIPTOR_BYTES,
  parseDirectoryRecord,
  parseEnd,
  ZIP64_END_BYTES,
  type ZipEntry,
} from './zip-records.ts';

/** The entries of a zip, in the order in which they lie in it. */
export class ZipDirectory {
  readonly #bytes: Buffer;
  readonly #place: DirectoryPlace;
  /** Where {@link find} goes on. */
  #cursor = 0;

  private constructor(bytes: Buffer, place: DirectoryPlace) {
    this.#bytes = bytes;
    this.#place = place;
  }

  /**
   * Loads the directory of a file.
   * @throws INVALID_MANIFEST when it is no zip, cut short, or lists more than the limits allow
   */
  static async load(file: RandomAccess, limits: BundleLimits, signal: AbortSignal): Promise<ZipDirectory> {
    if (file.sizeBytes === 0) throw malformedBundle('the file is empty');
    const tailBytes = Math.min(file.sizeBytes, ZIP64_END_BYTES + LOCATOR_BYTES + END_BYTES);
    const tail = await readRange(file, file.sizeBytes - tailBytes, file.sizeBytes, signal);
    const place = parseEnd(tail, file.sizeBytes);
    if (place.entries > limits.entries) {
      throw malformedBundle(`it lists ${place.entries} entries; the limit is ${limits.entries}`);
    }
    if (place.end - place.offset > MOST_DIRECTORY_BYTES) throw malformedBundle('its directory is too big');
    return new ZipDirectory(await readRange(file, place.offset, place.end, signal), place);
  }

  /** How many entries there are. */
  get count(): number {
    return this.#place.entries;
  }

  /** Every entry. @throws INVALID_MANIFEST where the directory is damaged or entries overlap */
  *entries(): Generator<ZipEntry, void> {
    let at = 0;
    for (let index = 0; index < this.#place.entries; index++) {
      const { entry, next } = this.#entryAt(at);
      yield entry;
      at = next;
    }
    if (at !== this.#bytes.length) throw malformedBundle('its directory lists less than it holds');
  }

  /** The entry of this name. Cheap for names asked for in the order of the zip. */
  find(name: string): ZipEntry | undefined {
    const start = this.#cursor;
    for (const [from, to] of [
      [start, this.#bytes.length],
      [0, start],
    ] as const) {
      for (let at = from; at < to; ) {
        const { entry, next } = this.#entryAt(at);
        at = next;
        if (entry.name === name) {
          this.#cursor = next;
          return entry;
        }
      }
    }
    return undefined;
  }

  /**
   * Checks that the entries fill the file from its first byte to the directory, in order, and hold no more than
   * the limits allow. What lies between data and next entry is checked to the byte when an entry is read.
   */
  checkLayout(limits: BundleLimits): void {
    let expected = 0;
    let total = 0;
    for (const entry of this.entries()) {
      if (entry.offset !== expected)
        throw malformedBundle(`${entry.name} does not begin where the entry before ends`);
      const slack = entry.end - entry.offset - LOCAL_HEADER_BYTES - entry.name.length - entry.compressedSize;
      const least = (entry.flags & FLAG_DESCRIPTOR) === 0 ? 0 : 16;
      if (slack < least || slack > MOST_DESCRIPTOR_BYTES)
        throw malformedBundle(`${entry.name} and the entry after it overlap`);
      total += entry.size;
      if (entry.size > limits.entryBytes || total > limits.totalBytes) {
        throw malformedBundle(`it would unpack to more than the limit, at ${entry.name}`);
      }
      expected = entry.end;
    }
    if (expected !== this.#place.offset) throw malformedBundle('its entries do not reach to its directory');
  }

  #entryAt(at: number): { entry: ZipEntry; next: number } {
    const { entry, next } = parseDirectoryRecord(this.#bytes, at);
    const end =
      next < this.#bytes.length ? parseDirectoryRecord(this.#bytes, next).entry.offset : this.#place.offset;
    return { entry: { ...entry, end }, next };
  }
}
