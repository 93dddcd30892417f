/** Small bundles for tests, made by the real writer. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type {
  BundledSchema,
  BundleFile,
  BundleFormat,
  BundleLimits,
  BundleReader,
  BundleWriter,
  BundleWriterOptions,
} from '../../src/bundle/bundle.ts';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type {
  Compression,
  EntryRecord,
  ManifestDatabase,
  ManifestDraft,
  ManifestTable,
} from '../../src/bundle/manifest.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';

export const never = new AbortController().signal;

/** Bytes in memory as a bundle's file; counts how often it was closed. */
export function asFile(content: Buffer): RandomAccess & { readonly closed: () => number } {
  let closed = 0;
  return {
    sizeBytes: content.length,
    read(start, end, signal) {
      if (start < 0 || end < start || end > content.length) throw new RangeError('outside of the file');
      function* chunks(): Generator<Buffer> {
        for (let at = start; at < end; at += 1000) {
          signal.throwIfAborted();
          yield content.subarray(at, Math.min(end, at + 1000));
        }
      }
      return Readable.from(chunks(), { objectMode: false });
    },
    async close() {
      closed++;
    },
    closed: () => closed,
  };
}

/** A table that {@link writeBundle} adds. */
export interface SampleTable {
  readonly schema: string | null;
  readonly name: string;
  /** Row lines, cut into chunks as wanted. */
  readonly chunks: readonly (string | Buffer)[];
}

/** A tree entry with its content. */
export type SampleFile = BundleFile & { readonly content?: Buffer };

export interface SampleBundle {
  readonly schema?: BundledSchema;
  readonly kind?: ManifestDatabase['kind'];
  readonly tables?: readonly SampleTable[];
  readonly files?: readonly SampleFile[];
}

/** A database of these tables on a manifest. */
export function databaseOf(tables: ManifestTable[]): ManifestDatabase {
  return {
    kind: 'POSTGRESQL',
    serverVersion: '15.0',
    name: 'shop',
    snapshotAt: '2026-01-02T03:04:05.000Z',
    schemaFingerprint: '0'.repeat(64),
    appliedMigrations: [],
    tables,
    sequences: [],
    schema: null,
  };
}

/** A manifest draft around tables and files. */
export function draftOf(tables: ManifestTable[], files: readonly BundleFile[] = []): ManifestDraft {
  const trees = new Map(
    files.flatMap(({ area, tree }) =>
      area === 'env' ? [] : [[`${area}/${tree}`, { area, name: tree }] as const],
    ),
  );
  return {
    createdAt: '2026-01-02T03:04:05.000Z',
    createdBy: 'owner',
    trigger: 'MANUAL',
    host: { name: 'host', platform: 'linux' },
    source: { id: 'source-1', name: 'Shop' },
    database: tables.length === 0 ? null : databaseOf(tables),
    trees: [...trees.values()].map((tree) => ({ ...tree, include: [], exclude: [], fileCount: 0, bytes: 0 })),
    envFile: files.some((file) => file.area === 'env'),
    filesReadAt: null,
    leftOut: [],
    warnings: [],
  };
}

/** Runs `work` with a directory for spool files; tells afterwards what was left in it. */
export async function withSpool<T>(
  work: (directory: string) => Promise<T>,
): Promise<{ value: T; left: string[] }> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-spool-'));
  try {
    const value = await work(directory);
    return { value, left: await readdir(directory) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A sink that keeps what it gets. */
export function collectingSink(): { sink: Writable; content: () => Buffer } {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { sink, content: () => Buffer.concat(chunks) };
}

async function* chunksOf(table: SampleTable): AsyncGenerator<Buffer> {
  for (const chunk of table.chunks) yield Buffer.from(chunk);
}

/** Adds everything to a writer. */
export async function fill(writer: BundleWriter, sample: SampleBundle): Promise<ManifestTable[]> {
  const tables: ManifestTable[] = [];
  for (const table of sample.tables ?? []) {
    const { schema, name } = table;
    const described = { schema, name, columns: [], primaryKey: [], foreignKeys: [] };
    tables.push(await writer.addTable(described, chunksOf(table), () => {}, never));
  }
  for (const { content, ...file } of sample.files ?? []) {
    const stream = file.kind === 'FILE' ? Readable.from(content === undefined ? [] : [content]) : undefined;
    await writer.addFile(file, stream, () => {}, never);
  }
  return tables;
}

/** A whole bundle as bytes. */
export async function writeBundle(
  sample: SampleBundle,
  format: BundleFormat = bundleFormat,
  compression: Compression = 'DEFLATE_1',
  options: Pick<BundleWriterOptions, 'sealing' | 'signer'> = {},
): Promise<Buffer> {
  const { value } = await withSpool(async (spoolDirectory) => {
    const { sink, content } = collectingSink();
    const writer = format.createWriter({ sink, spoolDirectory, compression, ...options });
    const schema = sample.schema && (await writer.addSchema(sample.schema, never, sample.kind));
    const tables = await fill(writer, sample);
    const draft = draftOf(tables, sample.files);
    const database =
      schema === undefined
        ? draft.database
        : { ...databaseOf(tables), kind: sample.kind ?? ('POSTGRESQL' as const), schema };
    await writer.finish({ ...draft, database }, never);
    return content();
  });
  return value;
}

export function openBundle(content: Buffer, limits: Partial<BundleLimits> = {}): Promise<BundleReader> {
  return bundleFormat.openReader(asFile(content), never, { limits });
}

/** Opens and reads everything. */
export async function verifyBundle(content: Buffer, limits: Partial<BundleLimits> = {}) {
  const reader = await openBundle(content, limits);
  try {
    return await reader.verifyContent(() => {}, never);
  } finally {
    await reader.close();
  }
}

export function listEntries(reader: BundleReader): Promise<EntryRecord[]> {
  return Readable.from(reader.entries(never)).toArray();
}

export async function bytesOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const times = { mode: 0o644, mtimeNs: '1700000000123456789' };

export function file(path: string, content: string | Buffer = path, mode = 0o644): SampleFile {
  return { area: 'files', tree: 'app', path, ...times, mode, kind: 'FILE', content: Buffer.from(content) };
}
export function directory(path: string): SampleFile {
  return { area: 'files', tree: 'app', path, ...times, mode: 0o755, kind: 'DIRECTORY' };
}
export function symlink(path: string, target: string): SampleFile {
  return { area: 'files', tree: 'app', path, ...times, mode: 0o777, kind: 'SYMLINK', target };
}
