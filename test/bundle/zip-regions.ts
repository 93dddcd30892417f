/** What each byte of a zip is: read from its end records backwards, by the specification alone. */

/** A run of bytes. */
export interface Region {
  readonly from: number;
  readonly to: number;
  /** The entry it belongs to; undefined for the end records. */
  readonly entry: string | undefined;
  readonly part: 'LOCAL' | 'NAME' | 'DATA' | 'DESCRIPTOR' | 'DIRECTORY' | 'ZIP64_END' | 'LOCATOR' | 'END';
}

const END = 22;
const LOCATOR = 20;
const ZIP64_END = 56;

/** The regions of a zip with a Zip64 end, in order; they cover every byte of it. */
export function regionsOf(zip: Buffer): Region[] {
  const zip64 = zip.length - END - LOCATOR - ZIP64_END;
  const regions: Region[] = [];
  const directory: Region[] = [];
  const offsets: number[] = [];
  for (let at = Number(zip.readBigUInt64LE(zip64 + 48)); at < zip64; ) {
    const nameBytes = zip.readUInt16LE(at + 28);
    const entry = zip.toString('latin1', at + 46, at + 46 + nameBytes);
    const to = at + 46 + nameBytes + zip.readUInt16LE(at + 30);
    directory.push({ from: at, to, entry, part: 'DIRECTORY' });
    offsets.push(zip.readUInt32LE(at + 42));
    at = to;
  }
  for (const [index, { from: record, entry }] of directory.entries()) {
    const from = offsets[index] ?? 0;
    const name = from + 30;
    const data = name + zip.readUInt16LE(from + 26) + zip.readUInt16LE(from + 28);
    const after = data + zip.readUInt32LE(record + 20);
    const to = offsets[index + 1] ?? directory[0]?.from ?? 0;
    regions.push({ from, to: name, entry, part: 'LOCAL' }, { from: name, to: data, entry, part: 'NAME' });
    regions.push(
      { from: data, to: after, entry, part: 'DATA' },
      { from: after, to, entry, part: 'DESCRIPTOR' },
    );
  }
  const locator = zip64 + ZIP64_END;
  const end = locator + LOCATOR;
  return [
    ...regions,
    ...directory,
    { from: zip64, to: locator, entry: undefined, part: 'ZIP64_END' },
    { from: locator, to: end, entry: undefined, part: 'LOCATOR' },
    { from: end, to: zip.length, entry: undefined, part: 'END' },
  ];
}

/**
 * Whether a bit is in a field that a reader has no use for: which version of the zip specification a tool needs or was
 * made for, attributes of DOS, whether content is text, and permissions, which stand in entries.ndjson. All else
 * decides what is read or how.
 */
export function carriesNothing({ part, from }: Region, at: number, bit: number): boolean {
  const offset = at - from;
  const within = (start: number, length: number) => offset >= start && offset < start + length;
  if (part === 'LOCAL') return within(4, 2);
  if (part === 'ZIP64_END') return within(12, 4);
  if (part !== 'DIRECTORY') return false;
  const permissions = within(40, 1) || (within(41, 1) && bit < 4);
  return within(4, 1) || within(6, 2) || within(36, 4) || permissions;
}
