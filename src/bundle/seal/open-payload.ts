/** From a sealed bundle to what its payload holds, as far as there is a key. */
import type { RandomAccess } from '../../storage/storage.ts';
import type { ManifestEncryption } from '../manifest.ts';
import { readRange } from '../read-range.ts';
import { malformedBundle, wrongContent } from '../refusal.ts';
import type { Unlocking } from '../sealing.ts';
import type { ZipDirectory } from '../zip-directory.ts';
import { STORED } from '../zip-methods.ts';
import { LOCAL_HEADER_BYTES, localHeaderMatches, type ZipEntry } from '../zip-records.ts';
import {
  ageHeaderBytes,
  MOST_AGE_HEADER_BYTES,
  openPassphraseHead,
  openRecipientHead,
} from './age-payload.ts';
import { layoutOf } from './chunks.ts';
import { keyHeaderBytes, MOST_KEY_HEADER_BYTES, openKeyHead } from './key-payload.ts';
import type { PayloadHead } from './payload-head.ts';
import { sealedAccess } from './sealed-access.ts';

/** What the manifest says of a bundle that is sealed. */
export type RealEncryption = Exclude<ManifestEncryption, { readonly mode: 'NONE' }>;

const MOST_HEADER_BYTES = Math.max(MOST_AGE_HEADER_BYTES, MOST_KEY_HEADER_BYTES);
const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;

/** A payload whose place in the file is known, and whose header and chunks are of sizes that can be. */
export interface FoundPayload {
  readonly zip: ZipEntry;
  /** Its first bytes. */
  readonly head: Buffer;
  /** Of its first byte and behind its last one, in the file. */
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the payload and checks what can be checked without a key: that the bundle holds it and the two entries
 * that are not sealed, and nothing else, in this order.
 * @throws INVALID_MANIFEST, INVALID_CHECKSUM
 */
export async function findPayload(
  file: RandomAccess,
  cover: ZipDirectory,
  encryption: RealEncryption,
  signal: AbortSignal,
): Promise<FoundPayload> {
  const { payload } = encryption;
  const expected = [payload.entry, 'RESTORE.md', 'manifest.json'];
  // Counted before they are held: there may be a million.
  const [zip, ...others] = cover.count === expected.length ? cover.entries() : [];
  const names = [zip, ...others].map((entry) => entry?.name);
  if (zip === undefined || names.join('\n') !== expected.join('\n')) {
    throw malformedBundle(`it is sealed and does not hold just ${expected.join(', ')}`);
  }
  for (const { name, mode } of [zip, ...others]) {
    if ((mode & FILE_TYPE) !== REGULAR) throw malformedBundle(`${name} is no regular file`);
  }
  if (zip.method !== STORED || zip.size !== payload.bytes || zip.compressedSize !== payload.bytes) {
    throw wrongContent(zip.name, `has not the ${payload.bytes} bytes that its manifest says`);
  }
  const headerEnd = zip.offset + LOCAL_HEADER_BYTES + zip.name.length;
  const localHeader = await readRange(file, zip.offset, headerEnd, signal);
  if (!localHeaderMatches(localHeader, zip)) {
    throw wrongContent(zip.name, 'has a header that contradicts the directory');
  }
  const end = headerEnd + payload.bytes;
  const head = await readRange(file, headerEnd, Math.min(end, headerEnd + MOST_HEADER_BYTES), signal);
  const found = { zip, head, start: headerEnd, end };
  const headerBytes =
    encryption.mode === 'KEY'
      ? keyHeaderBytes(head, zip.name, encryption.keyId)
      : ageHeaderBytes(head, zip.name);
  // A zip is never empty, so neither is a payload.
  const layout = layoutOf(payload.bytes - headerBytes);
  if (layout === undefined || layout.plainBytes === 0) throw wrongContent(zip.name, 'is cut short');
  return found;
}

/**
 * Opens a payload.
 * @returns undefined when nothing was given that this kind of sealing opens with
 * @throws DECRYPTION_FAILED when what was given is not it
 */
export async function openPayload(
  file: RandomAccess,
  { zip, head, start, end }: FoundPayload,
  encryption: RealEncryption,
  unlock: Unlocking | undefined,
): Promise<RandomAccess | undefined> {
  const opened = await openHead(head, zip.name, encryption, unlock);
  if (opened === undefined) return undefined;
  const { header, cipher } = opened;
  return sealedAccess({ file, start: start + header.length, end, cipher, entry: zip.name });
}

async function openHead(
  head: Buffer,
  entry: string,
  encryption: RealEncryption,
  unlock: Unlocking | undefined,
): Promise<PayloadHead | undefined> {
  switch (encryption.mode) {
    case 'KEY': {
      const key = await unlock?.key?.(encryption.keyId);
      return key === undefined ? undefined : openKeyHead(head, entry, encryption.keyId, key);
    }
    case 'PASSPHRASE':
      return unlock?.passphrase === undefined
        ? undefined
        : await openPassphraseHead(head, entry, unlock.passphrase);
    case 'RECIPIENT':
      return unlock?.identities === undefined || unlock.identities.length === 0
        ? undefined
        : await openRecipientHead(head, entry, unlock.identities);
  }
}
