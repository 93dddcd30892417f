/** Opens a bundle: everything that is checked before anything of it is given out. */
import { throwIfAborted } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { BundleLimits, BundleReader } from './bundle.ts';
import { type BundleContent, ZipBundleReader } from './bundle-reader.ts';
import { type CheckedEntries, checkEntryName, EntryCheck, OWN_ENTRIES } from './check-entries.ts';
import { drain, hashed } from './hashed-content.ts';
import { LockedBundleReader } from './locked-reader.ts';
import type { Manifest } from './manifest.ts';
import { readEntryList } from './read-entry-list.ts';
import { readManifest } from './read-manifest.ts';
import { malformedBundle } from './refusal.ts';
import { checkSignature } from './seal/manifest-signature.ts';
import { findPayload, openPayload, type RealEncryption } from './seal/open-payload.ts';
import type { ManifestSignature, Unlocking } from './sealing.ts';
import { entryContent } from './zip-content.ts';
import { ZipDirectory } from './zip-directory.ts';
import type { ZipEntry } from './zip-records.ts';

const [ENTRY_LIST, RESTORE_GUIDE, MANIFEST] = OWN_ENTRIES;

/** How a bundle is opened. */
export interface Opening {
  readonly limits: BundleLimits;
  readonly unlock?: Unlocking | undefined;
}

/** What is known once the manifest is read and its signature checked. */
interface Opened {
  readonly file: RandomAccess;
  readonly cover: ZipDirectory;
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
}

/**
 * Opens a bundle and checks its signature, structure, names, manifest and list of entries. Closes `file` when it
 * refuses.
 * @throws FORMAT_TOO_NEW, FORMAT_TOO_OLD, INVALID_MANIFEST, INVALID_SIGNATURE, INVALID_CHECKSUM, UNSAFE_PATH,
 *   DECRYPTION_FAILED, CANCELED
 */
export async function openBundleReader(
  file: RandomAccess,
  signal: AbortSignal,
  opening: Opening,
): Promise<BundleReader> {
  const { limits } = opening;
  try {
    throwIfAborted(signal);
    const cover = await ZipDirectory.load(file, limits, signal);
    const manifest = readManifest(await manifestBytes(file, cover, limits, signal));
    const opened = { file, cover, manifest, signature: checkSignature(manifest) };
    const { encryption } = manifest;
    return encryption.mode === 'NONE'
      ? await openPlain(opened, limits, signal)
      : await openSealed(opened, encryption, opening, signal);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPlain(
  { file, cover, manifest, signature }: Opened,
  limits: BundleLimits,
  signal: AbortSignal,
): Promise<BundleReader> {
  cover.checkLayout(limits);
  const content = await checkedContent({ file, directory: cover }, cover, manifest, limits, signal);
  return new ZipBundleReader({ file, cover, manifest, signature, content, limits });
}

async function openSealed(
  { file, cover, manifest, signature }: Opened,
  encryption: RealEncryption,
  { limits, unlock }: Opening,
  signal: AbortSignal,
): Promise<BundleReader> {
  // The payload is one entry of the cover, and as big as all that it holds.
  cover.checkLayout({ ...limits, entryBytes: limits.totalBytes });
  const payload = await findPayload(file, cover, encryption, signal);
  const inside = await openPayload(file, payload, encryption, unlock);
  throwIfAborted(signal);
  if (inside === undefined) {
    const guide = cover.find(RESTORE_GUIDE);
    if (guide === undefined) throw malformedBundle(`it holds no ${RESTORE_GUIDE}`);
    return new LockedBundleReader({ file, manifest, signature, encryption, payload, guide });
  }
  const directory = await ZipDirectory.load(inside, limits, signal);
  directory.checkLayout(limits);
  const both = { entries: () => entriesOfBoth(directory, cover) };
  const content = await checkedContent({ file: inside, directory }, both, manifest, limits, signal);
  return new ZipBundleReader({ file, cover, manifest, signature, content, limits });
}

/** As they would lie in a bundle that is not sealed. */
function* entriesOfBoth(inside: ZipDirectory, cover: ZipDirectory): Generator<ZipEntry, void> {
  yield* inside.entries();
  const [, ...others] = cover.entries();
  yield* others;
}

async function manifestBytes(
  file: RandomAccess,
  directory: ZipDirectory,
  limits: BundleLimits,
  signal: AbortSignal,
): Promise<Buffer> {
  const entry = directory.find(MANIFEST);
  if (entry === undefined) throw malformedBundle('it holds no manifest.json');
  if (entry.size > limits.manifestBytes) {
    throw malformedBundle(`its manifest has ${entry.size} bytes; the limit is ${limits.manifestBytes}`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of entryContent(file, entry, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function checkedContent(
  { file, directory }: Pick<BundleContent, 'file' | 'directory'>,
  all: Pick<ZipDirectory, 'entries'>,
  manifest: Manifest,
  limits: BundleLimits,
  signal: AbortSignal,
): Promise<BundleContent> {
  const checked = await checkEntries(file, directory, all, manifest, limits, signal);
  return { file, directory, checked };
}

async function checkEntries(
  file: RandomAccess,
  directory: ZipDirectory,
  all: Pick<ZipDirectory, 'entries'>,
  manifest: Manifest,
  limits: BundleLimits,
  signal: AbortSignal,
): Promise<CheckedEntries> {
  const check = new EntryCheck(manifest, all, limits);
  // Names first: whoever sends a name that leaves its tree shall read that, and not that an entry is unknown.
  for (const entry of all.entries()) checkEntryName(entry.name);
  const list = directory.find(ENTRY_LIST);
  if (list === undefined) throw malformedBundle('it holds no entries.ndjson');
  const content = () => hashed(entryContent(file, list, signal), manifest.entriesSha256, ENTRY_LIST);
  try {
    const salted = manifest.encryption.mode !== 'NONE';
    for await (const record of readEntryList(content(), salted)) check.take(record);
    return check.finish();
  } catch (error) {
    // A list that is damaged tells of anything: that it is damaged is what has to be told.
    await drain(content());
    throw error;
  }
}
