/** Zip files byte by byte, with any lie in any field; independent of the code under test. */
import { createHash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import type { EntryRecord, Manifest } from '../../src/bundle/manifest.ts';
import { draftOf } from './sample-bundle.ts';

/** An entry; what is undefined is told truthfully. */
export interface RawEntry {
  readonly name: string;
  readonly content: Buffer;
  readonly mode?: number;
  readonly stored?: boolean;
  /** Instead of what deflate makes of the content. */
  readonly packed?: Buffer;
  /** The name in the local header. */
  readonly localName?: string;
  readonly localCrc?: number;
  readonly crc?: number;
  /** As recorded, not as it is. */
  readonly size?: number;
  readonly flags?: number;
  readonly method?: number;
  /** As recorded in the directory. */
  readonly offset?: number;
  /** Follows the compressed data and counts as part of it. */
  readonly trailing?: Buffer;
  /** Extra field in the directory. */
  readonly extra?: Buffer;
  /** Extra field in the local header. */
  readonly localExtra?: Buffer;
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) bytes.writeUInt16LE(value, i * 2);
  return bytes;
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, i * 4);
  return bytes;
}

/** What may be wrong with the end of a zip. */
export interface RawEnd {
  readonly entries?: number;
  readonly gap?: Buffer;
  readonly prefix?: Buffer;
  readonly comment?: string;
  readonly directoryOffset?: number;
}

/** The local part of an entry, and its directory record for when it lies at `offset`. */
function buildEntry(entry: RawEntry, offset: number): { local: Buffer; record: Buffer } {
  const told = {
    mode: entry.name.endsWith('/') ? 0o040755 : 0o100644,
    method: entry.stored === true ? 0 : 8,
    crc: crc32(entry.content),
    size: entry.content.length,
    flags: 0,
    offset,
    localName: entry.name,
    extra: Buffer.alloc(0),
    localExtra: Buffer.alloc(0),
    trailing: Buffer.alloc(0),
    ...entry,
  };
  const packed = entry.packed ?? (entry.stored === true ? entry.content : deflateRawSync(entry.content));
  const data = Buffer.concat([packed, told.trailing]);
  const name = Buffer.from(told.name, 'latin1');
  const localName = Buffer.from(told.localName, 'latin1');
  const kind = [u16(20, told.flags, told.method), u32(0x58210000)];
  const local = Buffer.concat([
    u32(0x04034b50),
    ...kind,
    u32(entry.localCrc ?? told.crc, data.length, told.size),
    u16(localName.length, told.localExtra.length),
    localName,
    told.localExtra,
    data,
  ]);
  const record = Buffer.concat([
    u32(0x02014b50),
    u16(0x031e),
    ...kind,
    u32(told.crc, data.length, told.size),
    u16(name.length, told.extra.length, 0, 0, 0),
    u32(told.mode << 16, told.offset),
    name,
    told.extra,
  ]);
  return { local, record };
}

export function buildZip(entries: readonly RawEntry[], end: RawEnd = {}): Buffer {
  const pieces = [end.prefix ?? Buffer.alloc(0)];
  const records: Buffer[] = [];
  for (const entry of entries) {
    const { local, record } = buildEntry(entry, Buffer.concat(pieces).length);
    pieces.push(local);
    records.push(record);
  }
  pieces.push(end.gap ?? Buffer.alloc(0));
  const body = Buffer.concat(pieces);
  const directory = Buffer.concat(records);
  const comment = Buffer.from(end.comment ?? '');
  const count = end.entries ?? entries.length;
  const last = [u16(0, 0, count, count), u32(directory.length, end.directoryOffset ?? body.length)];
  return Buffer.concat([body, directory, u32(0x06054b50), ...last, u16(comment.length), comment]);
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A file of a forged bundle: its record, and how its zip entry deviates. */
export interface ForgedFile {
  readonly record: EntryRecord;
  readonly zip: Partial<RawEntry> & { readonly content: Buffer };
}

export function forgedFile(
  entry: string,
  path: string,
  zip: Partial<RawEntry> = {},
  record: Partial<EntryRecord & { kind: 'FILE' }> = {},
): ForgedFile {
  const content = zip.content ?? Buffer.from('content');
  return {
    record: {
      kind: 'FILE',
      entry,
      area: 'files',
      tree: 'app',
      path,
      mode: 0o644,
      mtimeNs: '0',
      size: content.length,
      sha256: sha256(content),
      ...record,
    },
    zip: { ...zip, content },
  };
}

/** One of the two scripts of a schema. */
export function forgedScript(
  place: 'BEFORE' | 'AFTER',
  content: string | Buffer,
  record: Partial<EntryRecord & { kind: 'SCHEMA' }> = {},
): ForgedFile {
  const bytes = Buffer.from(content);
  return {
    record: {
      kind: 'SCHEMA',
      entry: place === 'BEFORE' ? 'db/schema.sql' : 'db/schema-after.sql',
      place,
      size: bytes.length,
      sha256: sha256(bytes),
      ...record,
    },
    zip: { content: bytes },
  };
}

export function forgedLink(entry: string, path: string, target: string): ForgedFile {
  const content = Buffer.from(target);
  return {
    record: {
      kind: 'SYMLINK',
      entry,
      area: 'files',
      tree: 'app',
      path,
      mode: 0o777,
      mtimeNs: '0',
      target,
      size: content.length,
      sha256: sha256(content),
    },
    zip: { content, mode: 0o120777, stored: true },
  };
}

/** What is forged beyond the files. */
export interface Forgery {
  readonly manifest?: (manifest: Manifest) => unknown;
  /** The bytes of manifest.json, whatever they are. */
  readonly manifestBytes?: Buffer;
  readonly list?: (lines: readonly string[]) => readonly string[];
  readonly zip?: (entries: readonly RawEntry[]) => readonly RawEntry[];
  readonly end?: RawEnd;
  readonly listSha256?: string;
}

/** The manifest of a bundle with one tree of files, `app`. */
export function honestManifest(entriesSha256: string): Manifest {
  return {
    formatVersion: 1,
    tool: { name: 'holdfast', version: '0.1.0' },
    ...draftOf([]),
    trees: [{ area: 'files', name: 'app', include: [], exclude: [], fileCount: 0, bytes: 0 }],
    compression: 'DEFLATE_1',
    encryption: { mode: 'NONE' },
    entriesSha256,
    signature: null,
  };
}

/** A bundle whose list and manifest are consistent with its files, except where it is forged. */
export function forgeBundle(files: readonly ForgedFile[], forgery: Forgery = {}): Buffer {
  const lines = files.map(({ record }) => JSON.stringify(record));
  const list = Buffer.from((forgery.list?.(lines) ?? lines).map((line) => `${line}\n`).join(''));
  const honest = honestManifest(forgery.listSha256 ?? sha256(list));
  const manifest = forgery.manifestBytes ?? Buffer.from(JSON.stringify(forgery.manifest?.(honest) ?? honest));
  const entries: RawEntry[] = [
    ...files.map(({ record, zip }) => ({ name: record.entry, ...zip })),
    { name: 'entries.ndjson', content: list },
    { name: 'RESTORE.md', content: Buffer.from('how to') },
    { name: 'manifest.json', content: manifest },
  ];
  return buildZip(forgery.zip?.(entries) ?? entries, forgery.end);
}

/**
 * A bundle of the writer with other bytes in the place of its manifest, and a zip that fits.
 * @param places of the manifest's local header and directory record
 */
export function withManifest(
  bundle: Buffer,
  places: { readonly at: number; readonly record: number },
  manifest: Buffer,
): Buffer {
  const directory = bundle.indexOf(Buffer.from('504b0102', 'hex'));
  const built = buildZip([{ name: 'manifest.json', content: manifest }]);
  const start = built.lastIndexOf(Buffer.from('504b0102', 'hex'));
  const own = Buffer.from(built.subarray(start, built.length - 22));
  own.writeUInt32LE(places.at, 42);
  const records = Buffer.concat([bundle.subarray(directory, places.record), own]);
  const offset = places.at + start;
  const entries = bundle.readUInt16LE(bundle.length - 22 + 10);
  const end = Buffer.concat([
    u32(0x06054b50),
    u16(0, 0, entries, entries),
    u32(records.length, offset),
    u16(0),
  ]);
  return Buffer.concat([bundle.subarray(0, places.at), built.subarray(0, start), records, end]);
}
