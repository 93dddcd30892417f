/**
 * The contract of the bundle room: what the engine asks of a writer and a reader. Knows no database and no
 * GraphQL. The format itself is described in docs/bundle-format.md.
 */
import type { Readable, Writable } from 'node:stream';
import type { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type {
  Compression,
  EntryRecord,
  Manifest,
  ManifestDatabase,
  ManifestDraft,
  ManifestSchema,
  ManifestTable,
} from './manifest.ts';
import type { ManifestSignature, ManifestSigner, Sealing, Unlocking } from './sealing.ts';

/** The areas of a bundle that hold file trees. */
export type TreeArea = 'files' | 'config';

/** Numbers that move while something is written or read; all are increments. */
export interface BundleProgress {
  readonly rows?: number;
  /** Bytes of content before compression. */
  readonly bytes?: number;
  readonly files?: number;
}

/** Called often; must return at once. */
export type OnBundleProgress = (progress: BundleProgress) => void;

/** What a tree entry is, apart from its content. */
export type BundleFile = {
  readonly area: TreeArea | 'env';
  /** Name of the tree; `''` in the area `env`. */
  readonly tree: string;
  /** As in TreeEntry of source/source.ts. */
  readonly path: string;
  readonly mode: number;
  readonly mtimeNs: string;
} & (
  | { readonly kind: 'FILE' }
  | { readonly kind: 'DIRECTORY' }
  | { readonly kind: 'SYMLINK'; readonly target: string }
);

/** One statement of a schema; as SchemaStatement of source/source.ts. */
export interface BundledStatement {
  readonly object: string;
  readonly sql: string;
  readonly compound?: true;
}

/** The DDL of a database; as SchemaScript of source/source.ts. */
export interface BundledSchema {
  readonly before: readonly BundledStatement[];
  readonly after: readonly BundledStatement[];
  readonly notCarried: readonly { readonly name: string; readonly reason: string }[];
}

/** Which rows of a table to read. */
export interface RowRange {
  /** Rows to pass over. */
  readonly from: number;
  readonly count: number;
}

/** What went into the bundle for one file. */
export interface WrittenFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Writes one bundle, entry after entry, into a stream. Holds no entry in memory. */
export interface BundleWriter {
  /**
   * Adds `db/schema.sql` and `db/schema-after.sql`: text that the database's own client runs by hand, and from
   * which {@link BundleReader.readSchema} gets the same statements back.
   * @param kind of the database; MARIADB's client has to be told where a compound statement ends
   */
  addSchema(
    schema: BundledSchema,
    signal: AbortSignal,
    kind?: ManifestDatabase['kind'],
  ): Promise<ManifestSchema>;
  /**
   * Adds a table from row lines (see source/source.ts), as a JSON array with one row a line, in numbered parts
   * when it is big. Returns the table with counts, bytes and part names, ready for the manifest.
   */
  addTable(
    table: Pick<ManifestTable, 'schema' | 'name' | 'columns' | 'primaryKey' | 'foreignKeys'>,
    rows: AsyncIterable<Buffer>,
    onProgress: OnBundleProgress,
    signal: AbortSignal,
  ): Promise<ManifestTable>;
  /** Adds a file, directory or link. `content` is given for files only, and read to its end. */
  addFile(
    file: BundleFile,
    content: Readable | undefined,
    onProgress: OnBundleProgress,
    signal: AbortSignal,
  ): Promise<WrittenFile>;
  /** Adds entries.ndjson, RESTORE.md and manifest.json, and ends the stream. */
  finish(draft: ManifestDraft, signal: AbortSignal): Promise<Manifest>;
  /** Stops and removes spool files. Idempotent; never throws; does nothing after {@link finish}. */
  abort(): Promise<void>;
}

/** How a writer is made. */
export interface BundleWriterOptions {
  /** Receives the zip; its chunks are the sink's own. Ended by finish, destroyed by abort. */
  readonly sink: Writable;
  /** A directory for the list of entries, which grows with the number of files. */
  readonly spoolDirectory: string;
  /** DEFLATE_1 unless given. */
  readonly compression?: Compression;
  /** NONE unless given. */
  readonly sealing?: Sealing;
  /** Without one the manifest is not signed. */
  readonly signer?: ManifestSigner;
}

/** Bounds that keep a hostile bundle from filling memory or disk. Bytes unless said otherwise. */
export interface BundleLimits {
  readonly manifestBytes: number;
  /** Content of one entry and of all together, after decompression. */
  readonly entryBytes: number;
  readonly totalBytes: number;
  /** A single row line. */
  readonly rowBytes: number;
  /** Either script of the schema: they are held in memory. */
  readonly schemaBytes: number;
  readonly entries: number;
}

/** A table whose rows were proven. */
export interface CheckedTable {
  readonly schema: string | null;
  readonly name: string;
  readonly rows: number;
  /** The content digest, made anew of the rows that were read: 32 hex digits. */
  readonly digest: string;
}

/**
 * How far a content check looks into rows. PROVEN: each is well-formed JSON in UTF-8, and each part's content digest is
 * made anew. COUNTED: their form and number, for who proves them in another way; about half the work.
 */
export type RowDepth = 'PROVEN' | 'COUNTED';

/** What a content check found. */
export interface ContentReport {
  /** False when the bundle is sealed and was not unlocked: then only what needs no key was checked. */
  readonly contentChecked: boolean;
  readonly entries: number;
  readonly rows: number;
  readonly bytes: number;
  readonly files: number;
  /** In the order of the manifest; none when rows were only counted or could not be looked at. */
  readonly tables: readonly CheckedTable[];
}

/**
 * Reads one bundle by its central directory. Opening checks structure, names, manifest and the hash of
 * entries.ndjson; every read checks CRC, size, SHA-256 and counts of what it reads, while it reads it.
 *
 * Errors: FORMAT_TOO_NEW, FORMAT_TOO_OLD, INVALID_MANIFEST (no bundle, truncated, malformed), UNSAFE_PATH
 * (a name that leaves its tree), INVALID_CHECKSUM (content differs; names the entry), INVALID_SIGNATURE (the
 * manifest is not what was signed), DECRYPTION_FAILED (what it was to be unlocked with does not fit, or a reader
 * that is `locked` is asked for content), CANCELED.
 */
export interface BundleReader {
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
  /** The bundle is sealed and nothing was given that opens it: only the manifest can be read. */
  readonly locked: boolean;
  /** entries.ndjson, streamed, in the order written. */
  entries(signal: AbortSignal): AsyncIterable<EntryRecord>;
  /**
   * Row lines of a table, all its parts, checked against count and SHA-256 at the end of each. The last chunk is
   * given out before that: act on the rows only when the iteration ended. The digest is not made again: compare
   * it with what the database holds.
   */
  readTable(table: ManifestTable, signal: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Some row lines of a table, in the order of the bundle, from the parts that hold them alone: what is not read
   * is not checked. Fewer when the table ends.
   * @throws INVALID_INPUT when the range is no range
   */
  readRows(table: ManifestTable, range: RowRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** The DDL, checked like {@link readTable}; null when the bundle holds none. */
  readSchema(signal: AbortSignal): Promise<BundledSchema | null>;
  /** Content of a file entry, checked like {@link readTable}. */
  readFile(entry: EntryRecord, signal: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Reads everything and checks everything. With `onDamage` an entry whose content differs is told, and the check
   * goes on with the next; without it the first one ends the check. What `onDamage` throws ends it too.
   * @param rows PROVEN unless given
   */
  verifyContent(
    onProgress: OnBundleProgress,
    signal: AbortSignal,
    onDamage?: (entry: string, error: HoldfastError) => void,
    rows?: RowDepth,
  ): Promise<ContentReport>;
  /** Closes the underlying {@link RandomAccess}. Idempotent. */
  close(): Promise<void>;
}

/** How a reader is made. */
export interface BundleReaderOptions {
  readonly limits?: Partial<BundleLimits>;
  readonly unlock?: Unlocking | undefined;
}

/** Makes writers and readers; the engine receives it from app.ts. */
export interface BundleFormat {
  createWriter(options: BundleWriterOptions): BundleWriter;
  openReader(file: RandomAccess, signal: AbortSignal, options?: BundleReaderOptions): Promise<BundleReader>;
}
