/** Reads one bundle and believes nothing: see docs/bundle-format.md for what is checked when. */
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type {
  BundledSchema,
  BundledStatement,
  BundleLimits,
  BundleReader,
  ContentReport,
  OnBundleProgress,
  RowDepth,
  RowRange,
} from './bundle.ts';
import { type CheckedEntries, OWN_ENTRIES, type SchemaEntry, type TablePart } from './check-entries.ts';
import { checkSideBySide, type EntryToCheck, type OnDamage } from './checks-side-by-side.ts';
import { drain, hashed } from './hashed-content.ts';
import type { EntryRecord, Manifest, ManifestTable } from './manifest.ts';
import { readEntryList } from './read-entry-list.ts';
import { wrongContent } from './refusal.ts';
import { RowArrayCheck } from './row-array-check.ts';
import { RowArrayReader } from './row-array-reader.ts';
import { RowProof } from './row-proof.ts';
import { checkRange, partsOfRange, takeRows } from './row-range.ts';
import { readSchemaScript } from './schema-script.ts';
import type { ManifestSignature } from './sealing.ts';
import { TableTotals } from './table-totals.ts';
import { entryContent } from './zip-content.ts';
import type { ZipDirectory } from './zip-directory.ts';
import type { ZipEntry } from './zip-records.ts';

const [ENTRY_LIST, RESTORE_GUIDE] = OWN_ENTRIES;

/** Where what a bundle holds is read from: its own zip, or the one that is sealed in it. */
export interface BundleContent {
  readonly file: RandomAccess;
  readonly directory: ZipDirectory;
  readonly checked: CheckedEntries;
}

/** What a reader is made of, all checked. */
export interface CheckedBundle {
  readonly file: RandomAccess;
  /** The zip that can be opened without a key. */
  readonly cover: ZipDirectory;
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
  readonly content: BundleContent;
  readonly limits: BundleLimits;
}

/** Where a check tells what it saw. */
interface CheckInto {
  readonly tell: OnBundleProgress;
  /** Undefined when rows are only counted. */
  readonly totals: TableTotals | undefined;
}

/** Reads a bundle of which everything can be read; open-bundle-reader.ts makes it. */
export class ZipBundleReader implements BundleReader {
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
  readonly locked = false;
  readonly #bundle: CheckedBundle;
  readonly #file: RandomAccess;
  readonly #checked: CheckedEntries;
  readonly #limits: BundleLimits;

  constructor(bundle: CheckedBundle) {
    this.manifest = bundle.manifest;
    this.signature = bundle.signature;
    this.#bundle = bundle;
    this.#file = bundle.content.file;
    this.#checked = bundle.content.checked;
    this.#limits = bundle.limits;
  }

  entries(signal: AbortSignal): AsyncIterable<EntryRecord> {
    const content = entryContent(this.#file, this.#entry(ENTRY_LIST), signal);
    const sealed = this.manifest.encryption.mode !== 'NONE';
    return readEntryList(hashed(content, this.manifest.entriesSha256, ENTRY_LIST), sealed);
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
    rows: RowDepth = 'PROVEN',
  ): Promise<ContentReport> {
    const report = { contentChecked: true, entries: 0, rows: 0, bytes: 0, files: 0 };
    const tell: OnBundleProgress = (progress) => {
      report.rows += progress.rows ?? 0;
      report.bytes += progress.bytes ?? 0;
      report.files += progress.files ?? 0;
      onProgress(progress);
    };
    const totals = rows === 'PROVEN' ? new TableTotals() : undefined;
    let damaged = false;
    const checks = (whole: AbortSignal) => this.#checks(report, { tell, totals }, whole);
    const noteDamage: OnDamage | undefined =
      onDamage &&
      ((entry, error) => {
        damaged = true;
        onDamage(entry, error);
      });
    await checkSideBySide(checks, noteDamage, signal);
    // What is left of a damaged table comes to nothing.
    return { ...report, tables: damaged ? [] : (totals?.ofManifest(this.manifest) ?? []) };
  }

  async close(): Promise<void> {
    await this.#bundle.file.close();
  }

  async *#checks(
    report: { entries: number },
    into: CheckInto,
    signal: AbortSignal,
  ): AsyncGenerator<EntryToCheck> {
    for await (const record of this.entries(signal)) {
      yield { entry: record.entry, check: () => this.#verifyEntry(record, into, signal) };
      report.entries++;
    }
    const { file, cover } = this.#bundle;
    const guide = this.#entry(RESTORE_GUIDE, cover);
    yield { entry: RESTORE_GUIDE, check: () => drain(entryContent(file, guide, signal, true)) };
    const { encryption } = this.manifest;
    if (encryption.mode === 'NONE') return;
    const { entry, sha256 } = encryption.payload;
    const payload = entryContent(file, this.#entry(entry, cover), signal);
    yield { entry, check: () => drain(hashed(payload, sha256, entry)) };
  }

  async #verifyEntry(record: EntryRecord, into: CheckInto, signal: AbortSignal): Promise<void> {
    const { tell } = into;
    if (record.kind === 'TABLE_PART') {
      await this.#verifyPart(record, into, signal);
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

  async #verifyPart(part: TablePart, { tell, totals }: CheckInto, signal: AbortSignal): Promise<void> {
    const proof = totals === undefined ? undefined : new RowProof();
    const array = new RowArrayCheck(part.entry, this.#limits.rowBytes, proof);
    let told = 0;
    for await (const chunk of this.#partContent(part, signal)) {
      array.take(chunk);
      tell({ bytes: chunk.length, rows: array.rows - told });
      told = array.rows;
    }
    checkCount(part, array.finish());
    if (proof === undefined) return;
    const digest = proof.digest();
    if (digest !== part.digest)
      throw wrongContent(part.entry, `has rows of the content digest ${digest} instead of ${part.digest}`);
    totals?.add(part, array.rows, digest);
  }

  async *#readPart(part: TablePart, signal: AbortSignal): AsyncGenerator<Buffer> {
    const array = new RowArrayReader(part.entry, this.#limits.rowBytes);
    // What comes out of the array is a copy.
    for await (const chunk of this.#partContent(part, signal)) {
      const rowLines = array.decode(chunk);
      if (rowLines.length > 0) yield rowLines;
    }
    checkCount(part, array.finish());
  }

  /** Each chunk is gone when the next is asked for. */
  #partContent(part: TablePart, signal: AbortSignal): AsyncIterable<Buffer> {
    const content = entryContent(this.#file, this.#entry(part.entry), signal, true);
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

  #entry(name: string, directory: ZipDirectory = this.#bundle.content.directory): ZipEntry {
    const entry = directory.find(name);
    if (entry === undefined) throw new HoldfastError('NOT_FOUND', `The bundle holds no entry ${name}.`);
    return entry;
  }
}

function checkCount(part: TablePart, rows: number): void {
  if (rows !== part.rows) throw wrongContent(part.entry, `holds ${rows} rows instead of ${part.rows}`);
}
