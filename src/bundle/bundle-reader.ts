/** Reads one bundle and believes nothing: see docs/bundle-format.md for what is checked when. */
import { createHash } from 'node:crypto';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type {
  BundledSchema,
  BundledStatement,
  BundleLimits,
  BundleReader,
  ContentReport,
  OnBundleProgress,
  RowRange,
} from './bundle.ts';
import {
  type CheckedEntries,
  checkEntryName,
  EntryCheck,
  OWN_ENTRIES,
  type SchemaEntry,
  type TablePart,
} from './check-entries.ts';
import { checkSideBySide, type EntryToCheck, type OnDamage } from './checks-side-by-side.ts';
import type { EntryRecord, Manifest, ManifestTable } from './manifest.ts';
import { readEntryList } from './read-entry-list.ts';
import { readManifest } from './read-manifest.ts';
import { malformedBundle, wrongContent } from './refusal.ts';
import { RowArrayCheck } from './row-array-check.ts';
import { RowArrayReader } from './row-array-reader.ts';
import { checkRange, partsOfRange, takeRows } from './row-range.ts';
import { readSchemaScript } from './schema-script.ts';
import { entryContent } from './zip-content.ts';
import { ZipDirectory } from './zip-directory.ts';
import type { ZipEntry } from './zip-records.ts';

const [ENTRY_LIST, RESTORE_GUIDE, MANIFEST] = OWN_ENTRIES;

/**
 * Opens a bundle and checks its structure, names, manifest and list of entries. Closes `file` when it refuses.
 * @throws FORMAT_TOO_NEW, FORMAT_TOO_OLD, INVALID_MANIFEST, INVALID_CHECKSUM, UNSAFE_PATH, CANCELED
 */
export async function openBundleReader(
  file: RandomAccess,
  signal: AbortSignal,
  limits: BundleLimits,
): Promise<BundleReader> {
  try {
    throwIfAborted(signal);
    const directory = await ZipDirectory.load(file, limits, signal);
    const manifest = readManifest(await manifestBytes(file, directory, limits, signal));
    directory.checkLayout(limits);
    const checked = await checkEntries(file, directory, manifest, limits, signal);
    return new ZipBundleReader(file, directory, manifest, checked, limits);
  } catch (error) {
    await file.close();
    throw error;
  }
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

async function checkEntries(
  file: RandomAccess,
  directory: ZipDirectory,
  manifest: Manifest,
  limits: BundleLimits,
  signal: AbortSignal,
): Promise<CheckedEntries> {
  const check = new EntryCheck(manifest, directory, limits);
  // Names first: whoever sends a name that leaves its tree shall read that, and not that an entry is unknown.
  for (const entry of directory.entries()) checkEntryName(entry.name);
  const list = directory.find(ENTRY_LIST);
  if (list === undefined) throw malformedBundle('it holds no entries.ndjson');
  const content = hashed(entryContent(file, list, signal), manifest.entriesSha256, ENTRY_LIST);
  for await (const record of readEntryList(content)) check.take(record);
  return check.finish();
}

/** Passes content on, and fails at its end when it is not what it should be. */
async function* hashed(
  content: AsyncIterable<Buffer>,
  sha256: string,
  entry: string,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) throw wrongContent(entry, 'does not match its SHA-256');
}

class ZipBundleReader implements BundleReader {
  readonly manifest: Manifest;
  readonly signature = { state: 'UNSIGNED' } as const;
  readonly locked = false;
  readonly #file: RandomAccess;
  readonly #directory: ZipDirectory;
  readonly #checked: CheckedEntries;
  readonly #limits: BundleLimits;

  constructor(
    file: RandomAccess,
    directory: ZipDirectory,
    manifest: Manifest,
    checked: CheckedEntries,
    limits: BundleLimits,
  ) {
    this.#file = file;
    this.#directory = directory;
    this.manifest = manifest;
    this.#checked = checked;
    this.#limits = limits;
  }

  entries(signal: AbortSignal): AsyncIterable<EntryRecord> {
    const content = entryContent(this.#file, this.#entry(ENTRY_LIST), signal);
    return readEntryList(hashed(content, this.manifest.entriesSha256, ENTRY_LIST));
  }

  async *readTable(table: ManifestTable, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (const part of this.#partsOf(table)) yield* this.#readPart(part, signal);
  }

  async *readRows(table: ManifestTable, range: RowRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    checkRange(range);
    for (const inPart of partsOfRange(this.#partsOf(table), range)) {
      yield* takeRows(this.#readPart(inPart.part, signal), inPart);
    }
  }

  async readSchema(signal: AbortSignal): Promise<BundledSchema | null> {
    const { scripts } = this.#checked;
    const [before, after] = [scripts.get('BEFORE'), scripts.get('AFTER')];
    if (before === undefined || after === undefined) return null;
    return {
      before: await this.#readScript(before, signal),
      after: await this.#readScript(after, signal),
      notCarried: this.manifest.database?.schema?.notCarried ?? [],
    };
  }

  async *readFile(entry: EntryRecord, signal: AbortSignal): AsyncGenerator<Buffer> {
    if (entry.kind !== 'FILE' && entry.kind !== 'SYMLINK') throw new Error(`${entry.entry} is no file`);
    const zip = this.#entry(entry.entry);
    if (zip.size !== entry.size)
      throw wrongContent(entry.entry, `has ${zip.size} bytes instead of ${entry.size}`);
    yield* hashed(entryContent(this.#file, zip, signal), entry.sha256, entry.entry);
  }

  async verifyContent(
    onProgress: OnBundleProgress,
    signal: AbortSignal,
    onDamage?: OnDamage,
  ): Promise<ContentReport> {
    const report = { contentChecked: true, entries: 0, rows: 0, bytes: 0, files: 0 };
    const tell: OnBundleProgress = (progress) => {
      report.rows += progress.rows ?? 0;
      report.bytes += progress.bytes ?? 0;
      report.files += progress.files ?? 0;
      onProgress(progress);
    };
    const checks = (whole: AbortSignal) => this.#checks(report, tell, whole);
    await checkSideBySide(checks, onDamage, signal);
    return report;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async *#checks(
    report: { entries: number },
    tell: OnBundleProgress,
    signal: AbortSignal,
  ): AsyncGenerator<EntryToCheck> {
    for await (const record of this.entries(signal)) {
      yield { entry: record.entry, check: () => this.#verifyEntry(record, tell, signal) };
      report.entries++;
    }
    const guide = this.#entry(RESTORE_GUIDE);
    yield { entry: RESTORE_GUIDE, check: () => drain(entryContent(this.#file, guide, signal, true)) };
  }

  async #verifyEntry(record: EntryRecord, tell: OnBundleProgress, signal: AbortSignal): Promise<void> {
    if (record.kind === 'TABLE_PART') {
      await this.#verifyPart(record, tell, signal);
    } else if (record.kind === 'SCHEMA') {
      await this.#readScript(record, signal);
      tell({ bytes: record.size });
    } else if (record.kind === 'DIRECTORY') {
      await drain(entryContent(this.#file, this.#entry(record.entry), signal));
    } else {
      await drain(this.readFile(record, signal), (bytes) => tell({ bytes }));
      tell({ files: 1 });
    }
  }

  async #verifyPart(part: TablePart, tell: OnBundleProgress, signal: AbortSignal): Promise<void> {
    const array = new RowArrayCheck(part.entry, this.#limits.rowBytes);
    let told = 0;
    for await (const chunk of this.#partContent(part, signal, true)) {
      array.take(chunk);
      tell({ bytes: chunk.length, rows: array.rows - told });
      told = array.rows;
    }
    checkCount(part, array.finish());
  }

  async *#readPart(part: TablePart, signal: AbortSignal): AsyncGenerator<Buffer> {
    const array = new RowArrayReader(part.entry, this.#limits.rowBytes);
    for await (const chunk of this.#partContent(part, signal)) {
      const rowLines = array.decode(chunk);
      if (rowLines.length > 0) yield rowLines;
    }
    checkCount(part, array.finish());
  }

  #partContent(part: TablePart, signal: AbortSignal, fleeting = false): AsyncIterable<Buffer> {
    const content = entryContent(this.#file, this.#entry(part.entry), signal, fleeting);
    return hashed(content, part.sha256, part.entry);
  }

  #partsOf(table: ManifestTable): TablePart[] {
    return table.parts.map((name) => {
      const part = this.#checked.parts.get(name);
      if (part === undefined || part.table !== table.name || part.schema !== table.schema) {
        throw new HoldfastError('NOT_FOUND', `The bundle holds no rows of ${table.name} in ${name}.`);
      }
      return part;
    });
  }

  async #readScript(script: SchemaEntry, signal: AbortSignal): Promise<BundledStatement[]> {
    const chunks: Buffer[] = [];
    const content = entryContent(this.#file, this.#entry(script.entry), signal);
    for await (const chunk of hashed(content, script.sha256, script.entry)) chunks.push(chunk);
    return readSchemaScript(Buffer.concat(chunks), script.entry);
  }

  #entry(name: string): ZipEntry {
    const entry = this.#directory.find(name);
    if (entry === undefined) throw new HoldfastError('NOT_FOUND', `The bundle holds no entry ${name}.`);
    return entry;
  }
}

function checkCount(part: TablePart, rows: number): void {
  if (rows !== part.rows) throw wrongContent(part.entry, `holds ${rows} rows instead of ${part.rows}`);
}

async function drain(
  content: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  for await (const chunk of content) onBytes(chunk.length);
}
