/** The records of a zip file on their way out; zip-records.ts reads them. Zip64 where numbers need it. */
import { ZSTANDARD } from './zip-methods.ts';

/** What is known of an entry once it is written. */
export interface WrittenEntry {
  /** ASCII. */
  readonly name: string;
  /** Type and permission bits as `stat` has them. */
  readonly mode: number;
  readonly time: number;
  /** One of zip-methods.ts. */
  readonly method: number;
  /** Sizes and CRC follow the data. */
  readonly deferred: boolean;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Of the local header. */
  readonly offset: number;
}

const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const LOCATOR_SIGNATURE = 0x07064b50;
const END_SIGNATURE = 0x06054b50;
const IN_ZIP64_32 = 0xffff_ffff;
const IN_ZIP64_16 = 0xffff;
/** Format versions a reader needs to understand: 2.0 for deflate, 4.5 for Zip64, 6.3 for Zstandard. */
const VERSION_DEFLATE = 20;
const VERSION_ZIP64 = 45;
const VERSION_ZSTANDARD = 63;
const MADE_BY_UNIX = (3 << 8) | VERSION_ZSTANDARD;
const FLAG_DESCRIPTOR = 0x0008;
const DOS_DIRECTORY = 0x10;

function neededVersion(method: number, wide: boolean): number {
  if (method === ZSTANDARD) return VERSION_ZSTANDARD;
  return wide ? VERSION_ZIP64 : VERSION_DEFLATE;
}

/** Zip times are DOS times: two-second steps from 1980 to 2107, by convention without a zone. Here UTC. */
export function dosTime(milliseconds: number): number {
  const earliest = Date.UTC(1980, 0, 1);
  const latest = Date.UTC(2107, 11, 31, 23, 59, 58);
  const at = new Date(Math.min(latest, Math.max(earliest, milliseconds)));
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return ((date << 16) | time) >>> 0;
}

/** The header before an entry's data; sizes and CRC are zero when they are deferred. */
export function localHeader(entry: WrittenEntry): Buffer {
  const header = Buffer.alloc(30 + entry.name.length);
  header.writeUInt32LE(LOCAL_SIGNATURE, 0);
  header.writeUInt16LE(neededVersion(entry.method, false), 4);
  header.writeUInt16LE(entry.deferred ? FLAG_DESCRIPTOR : 0, 6);
  header.writeUInt16LE(entry.method, 8);
  header.writeUInt32LE(entry.time, 10);
  if (!entry.deferred) {
    header.writeUInt32LE(entry.crc, 14);
    header.writeUInt32LE(entry.compressedSize, 18);
    header.writeUInt32LE(entry.size, 22);
  }
  header.writeUInt16LE(entry.name.length, 26);
  header.write(entry.name, 30, 'latin1');
  return header;
}

/** What follows the data of an entry whose sizes were deferred. */
export function descriptor(entry: WrittenEntry): Buffer {
  const wide = entry.size >= IN_ZIP64_32 || entry.compressedSize >= IN_ZIP64_32;
  const bytes = Buffer.alloc(wide ? 24 : 16);
  bytes.writeUInt32LE(DESCRIPTOR_SIGNATURE, 0);
  bytes.writeUInt32LE(entry.crc, 4);
  if (wide) {
    bytes.writeBigUInt64LE(BigInt(entry.compressedSize), 8);
    bytes.writeBigUInt64LE(BigInt(entry.size), 16);
  } else {
    bytes.writeUInt32LE(entry.compressedSize, 8);
    bytes.writeUInt32LE(entry.size, 12);
  }
  return bytes;
}

/** The record of an entry in the central directory. */
export function directoryRecord(entry: WrittenEntry): Buffer {
  const wide = [entry.size, entry.compressedSize, entry.offset].filter((value) => value >= IN_ZIP64_32);
  const extraBytes = wide.length === 0 ? 0 : 4 + 8 * wide.length;
  const record = Buffer.alloc(46 + entry.name.length + extraBytes);
  record.writeUInt32LE(DIRECTORY_SIGNATURE, 0);
  record.writeUInt16LE(MADE_BY_UNIX, 4);
  record.writeUInt16LE(neededVersion(entry.method, wide.length > 0), 6);
  record.writeUInt16LE(entry.deferred ? FLAG_DESCRIPTOR : 0, 8);
  record.writeUInt16LE(entry.method, 10);
  record.writeUInt32LE(entry.time, 12);
  record.writeUInt32LE(entry.crc, 16);
  record.writeUInt32LE(Math.min(entry.compressedSize, IN_ZIP64_32), 20);
  record.writeUInt32LE(Math.min(entry.size, IN_ZIP64_32), 24);
  record.writeUInt16LE(entry.name.length, 28);
  record.writeUInt16LE(extraBytes, 30);
  record.writeUInt16LE(entry.name.endsWith('/') ? DOS_DIRECTORY : 0, 38);
  record.writeUInt16LE(entry.mode, 40);
  record.writeUInt32LE(Math.min(entry.offset, IN_ZIP64_32), 42);
  let at = 46 + record.write(entry.name, 46, 'latin1');
  if (wide.length > 0) {
    record.writeUInt16LE(0x0001, at);
    record.writeUInt16LE(8 * wide.length, at + 2);
    at += 4;
    for (const value of wide) at = record.writeBigUInt64LE(BigInt(value), at);
  }
  return record;
}

/** The three records that end a file. The Zip64 pair is always there; the small one repeats what fits into it. */
export function endRecords(entries: number, directoryOffset: number, directoryBytes: number): Buffer {
  const bytes = Buffer.alloc(56 + 20 + 22);
  bytes.writeUInt32LE(ZIP64_END_SIGNATURE, 0);
  bytes.writeBigUInt64LE(44n, 4);
  bytes.writeUInt16LE(MADE_BY_UNIX, 12);
  bytes.writeUInt16LE(VERSION_ZIP64, 14);
  bytes.writeBigUInt64LE(BigInt(entries), 24);
  bytes.writeBigUInt64LE(BigInt(entries), 32);
  bytes.writeBigUInt64LE(BigInt(directoryBytes), 40);
  bytes.writeBigUInt64LE(BigInt(directoryOffset), 48);
  bytes.writeUInt32LE(LOCATOR_SIGNATURE, 56);
  bytes.writeBigUInt64LE(BigInt(directoryOffset + directoryBytes), 64);
  bytes.writeUInt32LE(1, 72);
  bytes.writeUInt32LE(END_SIGNATURE, 76);
  bytes.writeUInt16LE(Math.min(entries, IN_ZIP64_16), 84);
  bytes.writeUInt16LE(Math.min(entries, IN_ZIP64_16), 86);
  bytes.writeUInt32LE(Math.min(directoryBytes, IN_ZIP64_32), 88);
  bytes.writeUInt32LE(Math.min(directoryOffset, IN_ZIP64_32), 92);
  return bytes;
}
