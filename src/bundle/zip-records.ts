/**
 * The records of a zip file, byte by byte (PKWARE's APPNOTE 6.3). Own code, since no package at hand is strict:
 * unzipper 0.12 checks no CRC, looks for the end record in the last 80 bytes and takes the first thing that looks
 * like it, ignores what a local header says, and sees neither entries that overlap nor bytes between them. Here
 * every record has one place only where it may be.
 */
import { malformedBundle } from './refusal.ts';
import { DEFLATED, STORED, ZSTANDARD } from './zip-methods.ts';

/** Bytes of the end record; a bundle has no comment after it. */
export const END_BYTES = 22;
/** Bytes of the locator of the Zip64 end record. */
export const LOCATOR_BYTES = 20;
/** Bytes of the Zip64 end record as every writer makes it. */
export const ZIP64_END_BYTES = 56;
/** Bytes of a local header before its name. */
export const LOCAL_HEADER_BYTES = 30;
/** Bytes of a data descriptor with wide numbers. */
export const MOST_DESCRIPTOR_BYTES = 24;
/** Bytes of a directory record before its name. */
const DIRECTORY_HEADER_BYTES = 46;

const END_SIGNATURE = 0x06054b50;
const LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const ZIP64_EXTRA = 0x0001;
const IN_ZIP64_32 = 0xffff_ffff;
const IN_ZIP64_16 = 0xffff;

/** Sizes and checksum follow the data. */
export const FLAG_DESCRIPTOR = 0x0008;
/** Anything but descriptor, deflate's level hints and UTF-8 names would mean encryption or patches. */
const KNOWN_FLAGS = FLAG_DESCRIPTOR | 0x0006 | 0x0800;
const UNIX = 3;
const METHODS: ReadonlySet<number> = new Set([STORED, DEFLATED, ZSTANDARD]);

/** Where the central directory lies, and how many entries it lists. */
export interface DirectoryPlace {
  readonly entries: number;
  readonly offset: number;
  /** Where the directory ends and the end records begin. */
  readonly end: number;
}

/** One record of the central directory. */
export interface ZipEntry {
  /** One character a byte; checked elsewhere. */
  readonly name: string;
  readonly flags: number;
  /** One of zip-methods.ts. */
  readonly method: number;
  readonly time: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Of the local header. */
  readonly offset: number;
  /** Type and permission bits as `stat` has them. */
  readonly mode: number;
  /** Where the next local header, or the directory, begins. */
  readonly end: number;
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformedBundle('it speaks of impossible sizes');
  return Number(value);
}

/**
 * Reads the end records.
 * @param tail the last bytes of the file, enough for all three records where the file has as many
 * @param fileSize of the whole file
 */
export function parseEnd(tail: Buffer, fileSize: number): DirectoryPlace {
  const end = tail.length - END_BYTES;
  if (end < 0 || tail.readUInt32LE(end) !== END_SIGNATURE || tail.readUInt16LE(end + 20) !== 0) {
    throw malformedBundle('it is no zip file, or its end is missing');
  }
  const locator = end - LOCATOR_BYTES;
  const place =
    locator >= 0 && tail.readUInt32LE(locator) === LOCATOR_SIGNATURE
      ? parseZip64End(tail, locator, fileSize)
      : {
          entries: tail.readUInt16LE(end + 10),
          offset: tail.readUInt32LE(end + 16),
          end: fileSize - END_BYTES,
          size: tail.readUInt32LE(end + 12),
          sameDisk:
            tail.readUInt32LE(end + 4) === 0 && tail.readUInt16LE(end + 8) === tail.readUInt16LE(end + 10),
        };
  if (!place.sameDisk) throw malformedBundle('it is one part of several');
  if (place.offset + place.size !== place.end)
    throw malformedBundle('its directory is not where it should be');
  return { entries: place.entries, offset: place.offset, end: place.end };
}

function parseZip64End(tail: Buffer, locator: number, fileSize: number) {
  const at = locator - ZIP64_END_BYTES;
  const position = fileSize - END_BYTES - LOCATOR_BYTES - ZIP64_END_BYTES;
  const sound =
    at >= 0 &&
    tail.readBigUInt64LE(locator + 8) === BigInt(position) &&
    tail.readUInt32LE(locator + 4) === 0 &&
    tail.readUInt32LE(locator + 16) === 1 &&
    tail.readUInt32LE(at) === ZIP64_END_SIGNATURE &&
    tail.readBigUInt64LE(at + 4) === BigInt(ZIP64_END_BYTES - 12);
  if (!sound) throw malformedBundle('its Zip64 end record is damaged');
  const end = tail.length - END_BYTES;
  // The small record repeats the numbers, or refers to this one by all ones. Anything else is two truths.
  const agrees =
    tail.readUInt32LE(end + 4) === 0 &&
    tail.readUInt16LE(end + 8) === tail.readUInt16LE(end + 10) &&
    [IN_ZIP64_16, Number(tail.readBigUInt64LE(at + 32))].includes(tail.readUInt16LE(end + 10)) &&
    [IN_ZIP64_32, Number(tail.readBigUInt64LE(at + 40))].includes(tail.readUInt32LE(end + 12)) &&
    [IN_ZIP64_32, Number(tail.readBigUInt64LE(at + 48))].includes(tail.readUInt32LE(end + 16));
  if (!agrees) throw malformedBundle('its end records contradict each other');
  return {
    entries: safe(tail.readBigUInt64LE(at + 32)),
    size: safe(tail.readBigUInt64LE(at + 40)),
    offset: safe(tail.readBigUInt64LE(at + 48)),
    end: position,
    sameDisk:
      tail.readBigUInt64LE(at + 16) === 0n && tail.readBigUInt64LE(at + 24) === tail.readBigUInt64LE(at + 32),
  };
}

/** The record at `at`, without its `end`, and where the next record begins. */
export function parseDirectoryRecord(
  directory: Buffer,
  at: number,
): { readonly entry: Omit<ZipEntry, 'end'>; readonly next: number } {
  const nameStart = at + DIRECTORY_HEADER_BYTES;
  if (nameStart > directory.length || directory.readUInt32LE(at) !== DIRECTORY_SIGNATURE)
    throw damagedDirectory();
  const extraStart = nameStart + directory.readUInt16LE(at + 28);
  const next = extraStart + directory.readUInt16LE(at + 30);
  if (next > directory.length) throw damagedDirectory();
  const flags = directory.readUInt16LE(at + 8);
  const method = directory.readUInt16LE(at + 10);
  const plain =
    directory.readUInt8(at + 5) === UNIX &&
    (flags & ~KNOWN_FLAGS) === 0 &&
    METHODS.has(method) &&
    directory.readUInt16LE(at + 32) === 0 &&
    directory.readUInt16LE(at + 34) === 0;
  if (!plain) throw malformedBundle('its directory lists an entry of a kind that no bundle holds');
  const sizes = parseSizes(directory, at, directory.subarray(extraStart, next));
  const entry = {
    name: directory.toString('latin1', nameStart, extraStart),
    flags,
    method,
    time: directory.readUInt32LE(at + 12),
    crc: directory.readUInt32LE(at + 16),
    mode: directory.readUInt16LE(at + 40),
    ...sizes,
  };
  return { entry, next };
}

function damagedDirectory(): Error {
  return malformedBundle('its directory is damaged');
}

function parseSizes(directory: Buffer, at: number, extra: Buffer) {
  const small = {
    compressedSize: directory.readUInt32LE(at + 20),
    size: directory.readUInt32LE(at + 24),
    offset: directory.readUInt32LE(at + 42),
  };
  if (extra.length === 0) return small;
  if (
    extra.length < 4 ||
    extra.readUInt16LE(0) !== ZIP64_EXTRA ||
    extra.readUInt16LE(2) !== extra.length - 4
  ) {
    throw malformedBundle('its directory holds fields that no bundle has');
  }
  // Only the numbers that did not fit stand in the extra field, in this order.
  let position = 4;
  const wide = (value: number): number => {
    if (value !== IN_ZIP64_32) return value;
    if (position + 8 > extra.length) throw damagedDirectory();
    position += 8;
    return safe(extra.readBigUInt64LE(position - 8));
  };
  const size = wide(small.size);
  const compressedSize = wide(small.compressedSize);
  const offset = wide(small.offset);
  if (position !== extra.length) throw damagedDirectory();
  return { compressedSize, size, offset };
}

/**
 * Whether a local header says what the directory says, and has no extra fields: what stood in them would be hidden.
 * @param header from the local header's start, its fixed bytes and the name
 */
export function localHeaderMatches(header: Buffer, entry: ZipEntry): boolean {
  const deferred = (entry.flags & FLAG_DESCRIPTOR) !== 0;
  return (
    header.length === LOCAL_HEADER_BYTES + entry.name.length &&
    header.readUInt32LE(0) === LOCAL_SIGNATURE &&
    header.readUInt16LE(6) === entry.flags &&
    header.readUInt16LE(8) === entry.method &&
    header.readUInt32LE(10) === entry.time &&
    header.readUInt32LE(14) === (deferred ? 0 : entry.crc) &&
    header.readUInt32LE(18) === (deferred ? 0 : entry.compressedSize) &&
    header.readUInt32LE(22) === (deferred ? 0 : entry.size) &&
    header.readUInt16LE(26) === entry.name.length &&
    header.readUInt16LE(28) === 0 &&
    header.toString('latin1', LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + entry.name.length) === entry.name
  );
}

/** Whether `descriptor` (all bytes between the data and the next entry) says what the directory says. */
export function descriptorMatches(descriptor: Buffer, entry: ZipEntry): boolean {
  if ((entry.flags & FLAG_DESCRIPTOR) === 0) return descriptor.length === 0;
  const wide = descriptor.length === MOST_DESCRIPTOR_BYTES;
  if (!wide && descriptor.length !== 16) return false;
  return (
    descriptor.readUInt32LE(0) === DESCRIPTOR_SIGNATURE &&
    descriptor.readUInt32LE(4) === entry.crc &&
    (wide ? safe(descriptor.readBigUInt64LE(8)) : descriptor.readUInt32LE(8)) === entry.compressedSize &&
    (wide ? safe(descriptor.readBigUInt64LE(16)) : descriptor.readUInt32LE(12)) === entry.size
  );
}
