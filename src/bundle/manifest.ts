/**
 * The manifest and the list of entries: the typed face of docs/bundle-format.md. The JSON Schema in docs/ is
 * printed from these definitions.
 */
import { z } from 'zod';

/** The version this program writes. */
export const FORMAT_VERSION = 1;
/** How many versions before its own a reader takes. */
const VERSIONS_BEFORE = 2;

/** The oldest version that a reader of some version takes: the window is its own and the two before. */
export function oldestReadBy(version: number): number {
  return Math.max(1, version - VERSIONS_BEFORE);
}

/** The oldest version this program still reads. */
export const OLDEST_FORMAT_VERSION: number = oldestReadBy(FORMAT_VERSION);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const timestamp = z.iso.datetime();
/** A list with more elements is looked through for the first wrong one before each gets an error of its own. */
const FEW_ELEMENTS = 16;

/**
 * A list of which one wrong element is told, not each: millions of them, which fit into a manifest of a few
 * megabytes, would take gigabytes as errors.
 */
function list<T extends z.ZodType>(element: T, least = 0) {
  const wholeOrWrongOne = (value: unknown): unknown => {
    if (!Array.isArray(value) || value.length <= FEW_ELEMENTS) return value;
    const wrong = value.findIndex((one) => !element.safeParse(one).success);
    return wrong < 0 ? value : [value[wrong]];
  };
  const array = z.array(element);
  return z.preprocess(wholeOrWrongOne, least === 0 ? array : array.min(least));
}

const columnSchema = z.strictObject({
  name: z.string(),
  type: z.string(),
  nullable: z.boolean(),
});

const foreignKeySchema = z.strictObject({
  name: z.string(),
  columns: list(z.string()),
  references: z.strictObject({ schema: z.string().nullable(), name: z.string() }),
  referencedColumns: list(z.string()),
});

const tableSchema = z.strictObject({
  schema: z.string().nullable(),
  name: z.string(),
  columns: list(columnSchema),
  primaryKey: list(z.string()),
  foreignKeys: list(foreignKeySchema),
  rowCount: count,
  /** Bytes of the JSON, before compression. */
  bytes: count,
  /** Names of the zip entries that hold the rows, in order. */
  parts: list(z.string(), 1),
});

const sequenceSchema = z.strictObject({
  schema: z.string().nullable(),
  name: z.string(),
  lastValue: z.string().regex(/^-?\d+$/),
  isCalled: z.boolean(),
});

const treeSchema = z.strictObject({
  area: z.enum(['files', 'config']),
  name: z.string(),
  include: list(z.string()),
  exclude: list(z.string()),
  fileCount: count,
  bytes: count,
});

const leftOutSchema = z.strictObject({ name: z.string(), reason: z.string() });

const schemaSchema = z.strictObject({
  /** Names of the zip entries: DDL that runs before the rows, and after them. */
  before: z.string(),
  after: z.string(),
  notCarried: list(leftOutSchema),
});

/** How content is compressed; small and incompressible entries are stored whatever it says. */
export const compressionSchema = z.enum(['DEFLATE_1', 'DEFLATE_6', 'STORE', 'ZSTD']);
/** How content is compressed. */
export type Compression = z.infer<typeof compressionSchema>;

const payloadSchema = z.strictObject({
  /** Name of the zip entry that holds everything else. */
  entry: z.enum(['payload.zip.aesgcm', 'payload.zip.age']),
  /** Of that entry as it is stored: sealed. */
  bytes: count,
  sha256,
});

const encryptionSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('NONE') }),
  z.strictObject({
    mode: z.literal('KEY'),
    cipher: z.literal('AES-256-GCM'),
    /** Which of the instance's keys opens it. */
    keyId: z.string().min(1).max(255),
    payload: payloadSchema,
  }),
  z.strictObject({
    mode: z.literal('PASSPHRASE'),
    cipher: z.literal('age'),
    /** The work factor is the base-2 logarithm of scrypt's N. */
    kdf: z.strictObject({ name: z.literal('scrypt'), logN: z.int().min(1).max(64) }),
    payload: payloadSchema,
  }),
  z.strictObject({
    mode: z.literal('RECIPIENT'),
    cipher: z.literal('age'),
    /** `age1…` */
    recipients: list(z.string(), 1),
    payload: payloadSchema,
  }),
]);

const signatureSchema = z.strictObject({
  algorithm: z.literal('Ed25519'),
  /** 32 bytes, base64. */
  publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  /** SHA-256 of those 32 bytes. */
  fingerprint: sha256,
  /** 64 bytes, base64: over the canonical JSON (RFC 8785) of the manifest without `signature`. */
  value: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

/** manifest.json, format version 1. */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  tool: z.strictObject({ name: z.literal('holdfast'), version: z.string() }),
  createdAt: timestamp,
  /** Name of the member or key that asked for it, never an address or secret. */
  createdBy: z.string(),
  trigger: z.enum(['MANUAL', 'SCHEDULE', 'PRE_RESTORE']),
  host: z.strictObject({ name: z.string(), platform: z.string() }),
  source: z.strictObject({ id: z.string(), name: z.string() }),
  database: z
    .strictObject({
      kind: z.enum(['SQLITE', 'POSTGRESQL', 'MARIADB']),
      serverVersion: z.string(),
      name: z.string(),
      snapshotAt: timestamp,
      /** SHA-256 over the structure of the tables held, as table-order sees it. */
      schemaFingerprint: sha256,
      appliedMigrations: list(z.string()),
      /** In restore order, parents first. */
      tables: list(tableSchema),
      sequences: list(sequenceSchema),
      /** The structure as DDL; null when the bundle holds rows alone. */
      schema: schemaSchema.nullable(),
    })
    .nullable(),
  trees: list(treeSchema),
  envFile: z.boolean(),
  /** When the files were read: not the same instant as the database's snapshot. */
  filesReadAt: z.strictObject({ from: timestamp, to: timestamp }).nullable(),
  leftOut: list(leftOutSchema),
  warnings: list(z.string()),
  compression: compressionSchema,
  encryption: encryptionSchema,
  /** Of entries.ndjson, uncompressed. */
  entriesSha256: sha256,
  /** Null when nobody signed it. */
  signature: signatureSchema.nullable(),
});

/** manifest.json as the program sees it. */
export type Manifest = z.infer<typeof manifestSchema>;
/** A table on the manifest. */
export type ManifestTable = z.infer<typeof tableSchema>;
/** A tree on the manifest. */
export type ManifestTree = Manifest['trees'][number];
/** The database on the manifest. */
export type ManifestDatabase = NonNullable<Manifest['database']>;
/** How the bundle is sealed, on the manifest. */
export type ManifestEncryption = Manifest['encryption'];
/** The sealed entry, on the manifest. */
export type ManifestPayload = z.infer<typeof payloadSchema>;
/** What the engine knows; the writer adds the rest. */
export type ManifestDraft = Omit<
  Manifest,
  'formatVersion' | 'tool' | 'compression' | 'encryption' | 'entriesSha256' | 'signature'
>;
/** The schema on the manifest. */
export type ManifestSchema = z.infer<typeof schemaSchema>;

const fileCommon = {
  /** Name of the zip entry. */
  entry: z.string(),
  area: z.enum(['files', 'config', 'env']),
  tree: z.string(),
  path: z.string(),
  mode: z.int().min(0).max(0o7777),
  mtimeNs: z.string().regex(/^-?\d+$/),
};

/** One line of entries.ndjson. manifest.json, RESTORE.md and entries.ndjson itself are not listed. */
export const entryRecordSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('TABLE_PART'),
    entry: z.string(),
    schema: z.string().nullable(),
    table: z.string(),
    /** From 1. */
    part: z.int().positive(),
    rows: count,
    size: count,
    sha256,
    /** Sum mod 2^128 of truncated SHA-256 over the row lines of this part, 32 hex digits; parts add up. */
    digest: z.string().regex(/^[0-9a-f]{32}$/),
  }),
  /** DDL; `place` says which of the two scripts it is. */
  z.strictObject({
    kind: z.literal('SCHEMA'),
    entry: z.string(),
    place: z.enum(['BEFORE', 'AFTER']),
    size: count,
    sha256,
  }),
  z.strictObject({ kind: z.literal('FILE'), ...fileCommon, size: count, sha256 }),
  z.strictObject({ kind: z.literal('DIRECTORY'), ...fileCommon }),
  z.strictObject({ kind: z.literal('SYMLINK'), ...fileCommon, target: z.string(), size: count, sha256 }),
]);

/**
 * The first line of entries.ndjson in a sealed bundle: fresh randomness, so that the hash of the list, which the
 * manifest shows to everybody, gives nothing to guess rows from.
 */
export const entrySaltSchema = z.strictObject({ kind: z.literal('SALT'), value: sha256 });

/** One line of entries.ndjson. */
export type EntryRecord = z.infer<typeof entryRecordSchema>;
