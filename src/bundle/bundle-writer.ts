/** Writes one bundle, entry after entry; docs/bundle-format.md describes what comes out. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { throwIfAborted } from '../errors.ts';
import type {
  BundledSchema,
  BundleFile,
  BundleLimits,
  BundleWriter,
  BundleWriterOptions,
  OnBundleProgress,
  WrittenFile,
} from './bundle.ts';
import { BundleEntryNames } from './bundle-entry-names.ts';
import { DiskSpool } from './disk-spool.ts';
import { MOST_DIRECTORY_BYTES, tooBigToWrite } from './limits.ts';
import {
  type Compression,
  type EntryRecord,
  FORMAT_VERSION,
  type Manifest,
  type ManifestDatabase,
  type ManifestDraft,
  type ManifestSchema,
  type ManifestTable,
  manifestSchema,
} from './manifest.ts';
import { PACKINGS } from './packing.ts';
import { restoreGuide } from './restore-guide.ts';
import { RowArrayWriter } from './row-array-writer.ts';
import { writeSchemaScript } from './schema-script.ts';
import { type BundleOutput, openBundleOutput } from './seal/bundle-output.ts';
import { signManifest } from './seal/manifest-signature.ts';
import type { ManifestSigner } from './sealing.ts';
import { TOOL_VERSION } from './tool-version.ts';
import { checkTruePath, trueBytes } from './true-path.ts';
import type { ZipOutputEntry } from './zip-output.ts';

/** Of an entry in the central directory, without its name; generous. */
const DIRECTORY_ENTRY_BYTES = 80;
/** Entries that belong to every bundle and are not in entries.ndjson. */
const OWN_ENTRIES = 3;
/** They are deflated whatever is set, since everything begins with reading them. */
const OWN_PACKING = PACKINGS.DEFLATE_1;
/** Of the line that keeps the hash of a sealed bundle's entries.ndjson from being guessed. */
const ENTRY_SALT_BYTES = 32;
const SCRIPTS = { before: 'db/schema.sql', after: 'db/schema-after.sql' } as const;

interface Measure {
  size: number;
  readonly hash: ReturnType<typeof createHash>;
}

/** What the writer is bound by. */
export interface BundleWriterBounds {
  readonly limits: BundleLimits;
  /** More JSON than this goes into another part of a table. */
  readonly partBytes: number;
}

/** Begins a bundle. */
export function createBundleWriter(options: BundleWriterOptions, bounds: BundleWriterBounds): BundleWriter {
  return new ZipBundleWriter(options, bounds);
}

class ZipBundleWriter implements BundleWriter {
  readonly #output: BundleOutput;
  readonly #signer: ManifestSigner | undefined;
  readonly #entryList: DiskSpool;
  readonly #bounds: BundleWriterBounds;
  readonly #now = Date.now();
  readonly #names = new BundleEntryNames();
  readonly #compression: Compression;
  /** Whether a compound statement was added, and nobody told for which kind of database. */
  #compoundForUnknown = false;
  #entries = OWN_ENTRIES;
  #directoryBytes = 0;
  #finished = false;

  constructor(options: BundleWriterOptions, bounds: BundleWriterBounds) {
    this.#output = openBundleOutput(options);
    this.#signer = options.signer;
    this.#entryList = new DiskSpool(options.spoolDirectory);
    this.#bounds = bounds;
    this.#compression = options.compression ?? 'DEFLATE_1';
  }

  async addSchema(
    schema: BundledSchema,
    signal: AbortSignal,
    kind?: ManifestDatabase['kind'],
  ): Promise<ManifestSchema> {
    throwIfAborted(signal);
    const { before, after } = SCRIPTS;
    const compound = [...schema.before, ...schema.after].some((statement) => statement.compound);
    this.#compoundForUnknown = compound && kind === undefined;
    for (const [place, entry, statements] of [
      ['BEFORE', before, schema.before],
      ['AFTER', after, schema.after],
    ] as const) {
      const script = writeSchemaScript(statements, kind);
      const { schemaBytes } = this.#bounds.limits;
      if (script.length > schemaBytes) throw tooBigToWrite(entry, `${schemaBytes} bytes`);
      const measure: Measure = { size: 0, hash: createHash('sha256') };
      const content = this.#measured(Readable.from([script]), entry, measure, () => {});
      await this.#put(this.#plainFile(entry), content, signal);
      const sha256 = measure.hash.digest('hex');
      await this.#list({ kind: 'SCHEMA', entry, place, size: script.length, sha256 });
    }
    return { before, after, notCarried: schema.notCarried.map(({ name, reason }) => ({ name, reason })) };
  }

  async addTable(
    table: Pick<ManifestTable, 'schema' | 'name' | 'columns' | 'primaryKey' | 'foreignKeys'>,
    rows: AsyncIterable<Buffer>,
    onProgress: OnBundleProgress,
    signal: AbortSignal,
  ): Promise<ManifestTable> {
    throwIfAborted(signal);
    const array = new RowArrayWriter(rows, tableTitle(table), {
      partBytes: this.#bounds.partBytes,
      rowBytes: this.#bounds.limits.rowBytes,
    });
    const parts: string[] = [];
    let rowCount = 0;
    let bytes = 0;
    try {
      do {
        const record = await this.#addPart(table, array, parts.length + 1, onProgress, signal);
        parts.push(record.entry);
        rowCount += record.rows;
        bytes += record.size;
      } while (await array.hasMore());
    } finally {
      const closing = array.close();
      // A source that is stuck would not let go either; who canceled does not wait for it.
      if (signal.aborted) closing.catch(() => {});
      else await closing;
    }
    const { schema, name, columns, primaryKey, foreignKeys } = table;
    return { schema, name, columns, primaryKey, foreignKeys, rowCount, bytes, parts };
  }

  async addFile(
    file: BundleFile,
    content: Readable | undefined,
    onProgress: OnBundleProgress,
    signal: AbortSignal,
  ): Promise<WrittenFile> {
    throwIfAborted(signal);
    checkTruePath(file.path);
    const entry = this.#names.file(file);
    const common = {
      entry,
      area: file.area,
      tree: file.tree,
      path: file.path,
      mode: file.mode,
      mtimeNs: file.mtimeNs,
    };
    const zip = { name: entry, mode: file.mode, modifiedAt: Number(BigInt(file.mtimeNs) / 1_000_000n) };
    const measure: Measure = { size: 0, hash: createHash('sha256') };
    if (file.kind === 'DIRECTORY') {
      await this.#put({ ...zip, kind: 'DIRECTORY' }, Buffer.alloc(0), signal);
      await this.#list({ kind: 'DIRECTORY', ...common });
      return { sizeBytes: 0, sha256: measure.hash.digest('hex') };
    }
    if (file.kind === 'SYMLINK') {
      const target = trueBytes(file.target);
      await this.#put({ ...zip, kind: 'SYMLINK' }, target, signal);
      const sha256 = measure.hash.update(target).digest('hex');
      await this.#list({ kind: 'SYMLINK', ...common, target: file.target, size: target.length, sha256 });
      onProgress({ files: 1 });
      return { sizeBytes: target.length, sha256 };
    }
    if (content === undefined) throw new Error(`the file ${entry} comes without its content`);
    try {
      await this.#put({ ...zip, kind: 'FILE' }, this.#measured(content, entry, measure, onProgress), signal);
    } finally {
      content.destroy();
    }
    const sha256 = measure.hash.digest('hex');
    await this.#list({ kind: 'FILE', ...common, size: measure.size, sha256 });
    onProgress({ files: 1 });
    return { sizeBytes: measure.size, sha256 };
  }

  async finish(draft: ManifestDraft, signal: AbortSignal): Promise<Manifest> {
    throwIfAborted(signal);
    if (draft.database?.kind === 'MARIADB' && this.#compoundForUnknown) {
      throw new Error('the schema of a MariaDB database was added without telling its kind');
    }
    const list: Measure = { size: 0, hash: createHash('sha256') };
    const content = this.#measured(this.#listed(), 'entries.ndjson', list, () => {});
    await this.#output.content.add(this.#plainFile('entries.ndjson'), content, OWN_PACKING, signal);
    const unsigned = {
      formatVersion: FORMAT_VERSION,
      tool: { name: 'holdfast', version: TOOL_VERSION },
      ...draft,
      compression: this.#compression,
      encryption: await this.#output.seal(signal),
      entriesSha256: list.hash.digest('hex'),
    } satisfies Omit<Manifest, 'signature'>;
    const manifest = manifestSchema.parse(signManifest(unsigned, this.#signer));
    const json = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    if (json.length > this.#bounds.limits.manifestBytes) {
      throw tooBigToWrite('The manifest', `${this.#bounds.limits.manifestBytes} bytes`);
    }
    const guide = Buffer.from(restoreGuide(manifest));
    await this.#output.cover.add(this.#plainFile('RESTORE.md'), guide, OWN_PACKING, signal);
    await this.#output.cover.add(this.#plainFile('manifest.json'), json, OWN_PACKING, signal);
    await this.#output.cover.end(signal);
    this.#finished = true;
    await this.#entryList.close();
    return manifest;
  }

  async abort(): Promise<void> {
    if (this.#finished) return;
    await this.#output.destroy();
    await this.#entryList.close();
  }

  async #addPart(
    table: Pick<ManifestTable, 'schema' | 'name'>,
    array: RowArrayWriter,
    part: number,
    onProgress: OnBundleProgress,
    signal: AbortSignal,
  ): Promise<EntryRecord & { kind: 'TABLE_PART' }> {
    const entry = this.#names.tablePart(table, part);
    const measure: Measure = { size: 0, hash: createHash('sha256') };
    // Rows are told with the bytes they came in; the array counts them before it gives the bytes out.
    let told = 0;
    const tell: OnBundleProgress = (progress) => {
      onProgress({ ...progress, rows: array.partRows - told });
      told = array.partRows;
    };
    await this.#put(this.#plainFile(entry), this.#measured(array.part(), entry, measure, tell), signal);
    const { rows, digest } = array.partTotals();
    const sha256 = measure.hash.digest('hex');
    const record = {
      kind: 'TABLE_PART' as const,
      entry,
      schema: table.schema,
      table: table.name,
      part,
      rows,
      size: measure.size,
      sha256,
      digest,
    };
    await this.#list(record);
    return record;
  }

  /** entries.ndjson. */
  async *#listed(): AsyncGenerator<Buffer> {
    if (this.#output.sealed) {
      const salt = { kind: 'SALT', value: randomBytes(ENTRY_SALT_BYTES).toString('hex') };
      yield Buffer.from(`${JSON.stringify(salt)}\n`);
    }
    yield* this.#entryList.content();
  }

  async #list(record: EntryRecord): Promise<void> {
    // JSON.stringify escapes lone surrogates, so raw bytes of names survive UTF-8.
    await this.#entryList.add(Buffer.from(`${JSON.stringify(record)}\n`));
  }

  /** Adds an entry of entries.ndjson, as long as the bundle stays readable. */
  async #put(
    entry: ZipOutputEntry,
    content: AsyncIterable<Buffer> | Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    this.#entries++;
    this.#directoryBytes += DIRECTORY_ENTRY_BYTES + entry.name.length;
    if (this.#entries > this.#bounds.limits.entries) {
      throw tooBigToWrite('The number of files', `${this.#bounds.limits.entries} entries`);
    }
    if (this.#directoryBytes > MOST_DIRECTORY_BYTES) {
      throw tooBigToWrite('The list of file names', `${MOST_DIRECTORY_BYTES} bytes`);
    }
    await this.#output.content.add(entry, content, PACKINGS[this.#compression], signal);
  }

  async *#measured(
    content: AsyncIterable<Buffer>,
    entry: string,
    measure: Measure,
    onProgress: OnBundleProgress,
  ): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      measure.size += chunk.length;
      if (measure.size > this.#bounds.limits.entryBytes) {
        throw tooBigToWrite(entry, `${this.#bounds.limits.entryBytes} bytes an entry`);
      }
      measure.hash.update(chunk);
      onProgress({ bytes: chunk.length });
      yield chunk;
    }
  }

  #plainFile(name: string): ZipOutputEntry {
    return { name, kind: 'FILE', mode: 0o600, modifiedAt: this.#now };
  }
}

function tableTitle(table: Pick<ManifestTable, 'schema' | 'name'>): string {
  return table.schema === null ? table.name : `${table.schema}.${table.name}`;
}
