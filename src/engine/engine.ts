/**
 * What the faces (GraphQL, HTTP transfer, schedule) may ask of the engine, and the words they ask it in. Each
 * verb lives in a file of its own name; app.ts binds them to their parts. A verb that refuses throws a
 * HoldfastError and has changed nothing.
 */
import type { Readable } from 'node:stream';
import type { RowRange } from '../bundle/bundle.ts';
import type { Compression, EntryRecord, Manifest, ManifestEncryption } from '../bundle/manifest.ts';
import type {
  BackupRow,
  DrillSettings,
  EncryptionKeyRow,
  RecordRow,
  Role,
  SourceDefinition,
  SourceRow,
  TrustedSignerRow,
  UploadRow,
  VerifyLevel,
} from '../catalog/catalog.ts';
import type { SkippedEntry, TreeDifference } from '../source/file-trees.ts';
import type { LeftOut } from '../source/left-out.ts';
import type { Column, DatabaseKind, DatabaseSession, ForeignKey, TableName } from '../source/source.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { TargetState } from './record-result.ts';
import type { RetentionPolicy, RetentionVerdict } from './retention.ts';

/** On whose behalf a verb runs. */
export interface Actor {
  readonly workspaceId: string;
  readonly name: string;
  readonly role: Role;
}

/** What changes of a source; what is left out stays, of the settings of drills too. */
export type SourceChange = Partial<Omit<SourceDefinition, 'drill'>> & {
  readonly drill?: Partial<DrillSettings>;
};

/** Which parts of a source or bundle an operation covers. */
export interface Selection {
  readonly database: boolean;
  /** Tables to take; null takes all (that the source does not exclude). Foreign keys that reach outside warn. */
  readonly tables: readonly TableName[] | null;
  /** Names of file trees; null takes all. */
  readonly trees: readonly string[] | null;
  /** Names of configuration trees; null takes all. */
  readonly configTrees: readonly string[] | null;
  /** The env file holds secrets: only when asked for. */
  readonly envFile: boolean;
}

/** How a backup is to be sealed. */
export type Encryption =
  | { readonly mode: 'NONE' }
  /** With the key that Holdfast keeps. */
  | { readonly mode: 'KEY' }
  | { readonly mode: 'PASSPHRASE'; readonly passphrase: string }
  /** `age1…` */
  | { readonly mode: 'RECIPIENT'; readonly recipients: readonly string[] };

/** What the caller opens a sealed bundle with; keys that Holdfast keeps need not be given. Never written down. */
export interface Unlock {
  readonly passphrase?: string | undefined;
  /** `AGE-SECRET-KEY-1…` */
  readonly identities?: readonly string[] | undefined;
}

export interface CreateBackupRequest {
  readonly sourceId: string;
  readonly selection: Selection;
  /** DEFLATE_1 unless given. */
  readonly compression?: Compression;
  /** KEY unless given. */
  readonly encryption?: Encryption;
  /** Leave out tables whose rows may not be read, with a warning; unless given they refuse the backup. */
  readonly leaveOutUnreadable?: boolean;
}

/** Exactly one of the two. */
export type BundleOrigin = { readonly backupId: string } | { readonly uploadId: string };

/**
 * What to do when the structure of the target is not the bundle's. REFUSE stops before anything is touched.
 * RESTORE_SCHEMA puts the bundle's structure back; tables that the bundle does not know stay untouched.
 * ADAPT loads what fits safely and lists the rest. An empty target gets the bundle's structure whatever is said.
 */
export type OnDrift = 'REFUSE' | 'RESTORE_SCHEMA' | 'ADAPT';

export interface RestorePlanRequest {
  readonly bundle: BundleOrigin;
  /** The source to restore into; null is the backup's own. Needed for uploads. */
  readonly sourceId: string | null;
  readonly selection: Selection;
  /** REFUSE unless given. */
  readonly onDrift?: OnDrift;
  readonly unlock?: Unlock | undefined;
}

export interface RestoreBackupRequest extends RestorePlanRequest {
  /** The hash of a restore plan; a different plan is refused PLAN_CHANGED. */
  readonly planHash: string | null;
  /** Do everything, report what was done, then roll it back. */
  readonly dryRun: boolean;
  /** REQUIRED: without it no restore. BEST_EFFORT: its failure is a warning. NONE: not made. */
  readonly preRestoreBackup: 'REQUIRED' | 'BEST_EFFORT' | 'NONE';
  /** Allow a bundle that was made from another source. */
  readonly allowForeignSource: boolean;
  /** End the application's sessions on the database first. */
  readonly endSessions: boolean;
  /** Milliseconds a statement waits for a lock of the application; 1 to 600,000. */
  readonly lockTimeoutMs: number;
  /** Let the env file be written over the one it was read from. */
  readonly overwriteEnvFile: boolean;
  /**
   * Restore a bundle that is unsigned or signed by a key nobody trusts here, and run its schema's code. For an
   * OWNER alone; without it such a bundle is refused INVALID_SIGNATURE.
   */
  readonly trustUnknownSigner?: boolean;
}

export interface VerifyBackupRequest {
  readonly backupId: string;
  readonly level: VerifyLevel;
  readonly unlock?: Unlock | undefined;
}

/** Who signed a bundle, as a workspace sees them. */
export interface BundleSigner {
  /** This instance, one that is trusted, one that nobody here knows, or nobody at all. */
  readonly state: 'OWN' | 'TRUSTED' | 'UNKNOWN' | 'UNSIGNED';
  /** SHA-256 of the raw public key, hexadecimal; null when unsigned. */
  readonly fingerprint: string | null;
  /** The raw public key, base64; null when unsigned. */
  readonly publicKey: string | null;
}

/** The key that signs the manifests of this instance. */
export interface InstanceSigner {
  /** SHA-256 of the raw public key, hexadecimal. */
  readonly fingerprint: string;
  /** The raw public key, base64. */
  readonly publicKey: string;
}

/** What may be told of a key that seals bundles. */
export type EncryptionKey = Pick<EncryptionKeyRow, 'id' | 'createdAt' | 'retiredAt'>;

export interface RotateEncryptionKeyRequest {
  /** The key that is to be retired; INVALID_INPUT when another seals by now. */
  readonly replaces?: string | undefined;
}

export interface TrustSignerRequest {
  /** The raw public key, base64. */
  readonly publicKey: string;
  /** What people call the other instance. */
  readonly name: string;
}

export interface CreateRecoveryKitRequest {
  /** What the kit opens with. Never written down. */
  readonly passphrase: string;
}

/** A recovery kit that waits for its download, sealed. */
export interface RecoveryKit {
  readonly id: string;
  /** A name for people. */
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Of the sealed file, hexadecimal. */
  readonly sha256: string;
  /** Until then it can be downloaded. */
  readonly expiresAt: Date;
}

/** How a table of the bundle relates to the live one. */
export interface TablePlan extends TableName {
  /** Null when the target has no such table. */
  readonly rowsNow: number | null;
  readonly rowsInBundle: number;
  /** In words, e.g. "column price is integer now, numeric(10,2) in the bundle"; empty when both are alike. */
  readonly drift: readonly string[];
  /** With ADAPT, what of the table does not come back, in words. */
  readonly losses: readonly string[];
}

/** An object of the database that is not as it was when the bundle was made. */
export interface SchemaDifference {
  /** `KIND name`, e.g. `INDEX public.film_title_idx`. */
  readonly object: string;
  /** ADDED and REMOVED since the bundle was made, or CHANGED. */
  readonly change: 'ADDED' | 'REMOVED' | 'CHANGED';
}

/** What a restore does to the structure: KEEP it, CREATE it in an empty target, REPLACE it by the bundle's. */
export type RestoreStructure = 'KEEP' | 'CREATE' | 'REPLACE';

export interface TreePlan extends TreeDifference {
  readonly area: 'files' | 'config';
  readonly name: string;
  readonly target: string;
}

/** What a restore would do; nothing was changed to find out. */
export interface RestorePlan {
  /** Covers bundle, target, selection, schema and drift, not row counts. */
  readonly hash: string;
  readonly bundleName: string;
  readonly bundleChecksum: string;
  readonly signer: BundleSigner;
  readonly target: SourceRow;
  readonly structure: RestoreStructure;
  /** Objects (tables, indexes, views, …) that are not as they were when the bundle was made. */
  readonly schemaDifferences: readonly SchemaDifference[];
  /** In restore order. */
  readonly tables: readonly TablePlan[];
  /** Live tables that the bundle does not hold; they stay as they are. */
  readonly untouchedTables: readonly TableName[];
  readonly trees: readonly TreePlan[];
  /** Path the env file would be written to; null when it is not restored. */
  readonly envFile: string | null;
  /** Null where the database cannot tell. */
  readonly sessions: readonly DatabaseSession[] | null;
  readonly warnings: readonly string[];
  /** Reasons why restoreBackup would refuse; empty when it would not. */
  readonly refusals: readonly string[];
}

/** What a source would give to a backup. */
export interface SourceReport {
  readonly database: {
    readonly kind: DatabaseKind;
    readonly serverVersion: string;
    readonly name: string;
    /** In foreign-key order, parents first. */
    readonly tables: readonly {
      readonly schema: string | null;
      readonly name: string;
      readonly columns: readonly Column[];
      readonly foreignKeys: readonly ForeignKey[];
      readonly rowEstimate: number;
    }[];
    /** Foreign keys that form cycles. */
    readonly cyclicForeignKeys: readonly { readonly table: TableName; readonly foreignKey: string }[];
  } | null;
  readonly trees: readonly {
    readonly area: 'files' | 'config';
    readonly name: string;
    readonly files: number;
    readonly bytes: number;
    readonly skipped: readonly SkippedEntry[];
  }[];
  /** Null for a source without a database, whose drills need nothing but room. */
  readonly drill: {
    readonly possible: boolean;
    /** Why not, and what to set; null when it is possible. */
    readonly reason: string | null;
  } | null;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
}

/** One row of a table of a bundle. */
export interface BundledRow {
  /** Rows before it in the table. */
  readonly index: number;
  /**
   * Values by column, as the bundle writes them; numbers of more than 15 digits are strings, so that no digit is
   * lost. Null when the row is too large for a page.
   */
  readonly row: unknown;
  /** Bytes of its JSON. */
  readonly sizeBytes: number;
}

/** An object of the storage that is not in the catalog. */
export interface UnknownBundle {
  /** What importStored takes. */
  readonly storageKey: string;
  readonly name: string;
  /** Bytes. */
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** What its manifest says; null when it cannot be read as a bundle. */
  readonly bundle: {
    readonly createdAt: Date;
    readonly sourceName: string;
    readonly formatVersion: number;
    readonly encryption: ManifestEncryption;
    readonly signer: BundleSigner;
  } | null;
  /** Why it cannot; null when it can. */
  readonly problem: string | null;
}

/** Which of them to tell, by storage key. */
export interface UnknownBundleRange {
  /** The storage key to begin behind; null begins with the first. */
  readonly after: string | null;
  readonly count: number;
}

export interface UnknownBundlePage {
  /** By storage key. */
  readonly bundles: readonly UnknownBundle[];
  /** Whether others follow. */
  readonly more: boolean;
}

export interface ReconcileStorageRequest {
  /** Count, and mark nothing. */
  readonly dryRun: boolean;
}

/** What a comparison of catalog and storage found. */
export interface Reconciliation {
  /** Backups whose bundle was looked for, with an answer. */
  readonly checked: number;
  /** Those of them whose bundle is gone. */
  readonly missing: number;
  /** Those that were not marked missing until now. */
  readonly vanished: number;
  /** Those that were marked missing until now. */
  readonly returned: number;
  /** Backups whose bundle could not be looked for: nothing of them was changed. The log says why. */
  readonly undecided: number;
  /** Stored objects that are not in the catalog. */
  readonly unknown: number;
}

/** The answer of a rotation: what happens to each backup, and the record that does it (null in a dry run). */
export interface Rotation {
  readonly verdicts: readonly RetentionVerdict[];
  readonly record: RecordRow | null;
}

export interface RotateBackupsRequest {
  /** Null rotates the manual backups of every source. */
  readonly sourceId: string | null;
  readonly policy: RetentionPolicy;
  readonly dryRun: boolean;
}

/** The parts of a bundle; `db` is the database. */
export type EntryArea = 'db' | 'files' | 'config' | 'env';

/** Which entries to list; conditions are joined by AND. */
export interface EntryFilter {
  readonly areas?: readonly EntryArea[] | undefined;
  readonly kinds?: readonly EntryRecord['kind'][] | undefined;
  readonly tree?: string | undefined;
  readonly pathPrefix?: string | undefined;
  /** In the path, or in the name of the table. */
  readonly search?: string | undefined;
}

/** Which page of the entries to read. */
export interface EntryRange {
  /** Position of the last entry of the page before; null for the first page. */
  readonly after: number | null;
  readonly count: number;
}

/** An entry of a bundle, and how many come before it: a bundle never changes, so that stays. */
export interface ListedEntry {
  readonly position: number;
  readonly entry: EntryRecord;
}

export interface EntryPage {
  readonly entries: readonly ListedEntry[];
  /** Entries that the filter keeps, on all pages. */
  readonly totalCount: number;
  readonly hasPrevious: boolean;
  readonly hasNext: boolean;
}

/** A single file of a bundle. */
export interface OpenedEntry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Throws instead of giving out its last piece when the whole is not what the bundle says. */
  readonly content: AsyncIterable<Buffer>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What a bundle says of itself, its signature checked and its content not read. */
export interface InspectedBundle {
  readonly name: string;
  /** SHA-256 of the whole, as it was when it was stored or uploaded. */
  readonly checksum: string;
  readonly sizeBytes: number;
  readonly manifest: Manifest;
  readonly signer: BundleSigner;
}

export interface SelfTestRequest {
  /** Of the canary's bundle; DEFLATE_1 unless given. */
  readonly compression?: Compression | undefined;
}

/** The verbs. */
export interface Engine {
  createSource(actor: Actor, definition: SourceDefinition): Promise<SourceRow>;
  /**
   * Fields that are undefined stay; in particular the database's connection string is never asked for again.
   * LOCK_HELD while a restore goes on; while one waits for its database, only the database's address may change.
   */
  updateSource(actor: Actor, id: string, change: SourceChange): Promise<SourceRow>;
  deleteSource(actor: Actor, id: string): Promise<void>;
  testSource(actor: Actor, id: string, signal: AbortSignal): Promise<SourceReport>;
  createBackup(actor: Actor, request: CreateBackupRequest): Promise<RecordRow>;
  restorePlan(actor: Actor, request: RestorePlanRequest, signal: AbortSignal): Promise<RestorePlan>;
  restoreBackup(actor: Actor, request: RestoreBackupRequest): Promise<RecordRow>;
  verifyBackup(actor: Actor, request: VerifyBackupRequest): Promise<RecordRow>;
  /** What a bundle says of itself; no key is used. */
  inspectBundle(actor: Actor, origin: BundleOrigin, signal: AbortSignal): Promise<InspectedBundle>;
  /** Sends a canary the whole way of a backup and back. What it makes is no backup, and nothing of it stays. */
  runSelfTest(actor: Actor, request: SelfTestRequest): Promise<RecordRow>;
  rotateBackups(actor: Actor, request: RotateBackupsRequest): Promise<Rotation>;
  deleteBackup(actor: Actor, backupId: string): Promise<void>;
  pinBackup(actor: Actor, backupId: string, pinned: boolean): Promise<BackupRow>;
  /** A sealed bundle whose key is not held is taken in too, with a warning: what it holds was not looked at. */
  importBackup(actor: Actor, uploadId: string, sourceId: string | null, unlock?: Unlock): Promise<RecordRow>;
  /**
   * Takes in a bundle that lies in the storage already, where it lies; otherwise as importBackup. A refused one stays
   * as it is. NOT_FOUND also for what lies in another workspace, INVALID_INPUT when it is a backup already.
   */
  importStored(
    actor: Actor,
    storageKey: string,
    sourceId: string | null,
    unlock?: Unlock,
  ): Promise<RecordRow>;
  /** What lies in the workspace's folder of the storage and is not in the catalog. */
  unknownBundles(actor: Actor, range: UnknownBundleRange, signal: AbortSignal): Promise<UnknownBundlePage>;
  /** Marks backups whose bundle is gone from the storage or there again. The server does it by itself, too. */
  reconcileStorage(
    actor: Actor,
    request: ReconcileStorageRequest,
    signal: AbortSignal,
  ): Promise<Reconciliation>;
  cancelRecord(actor: Actor, recordId: string): Promise<RecordRow>;
  /**
   * Says how a restore ended whose database cannot be asked; nobody checks it. Written down when it resolves, and
   * carried out soon after. INVALID_INPUT when nothing is undecided, LOCK_HELD when the record is running.
   */
  decideRestore(actor: Actor, recordId: string, targetState: TargetState): Promise<RecordRow>;
  /** Streams an upload to disk. INVALID_INPUT when it is larger than the limit; nothing stays when it breaks off. */
  receiveUpload(actor: Actor, fileName: string, content: Readable, signal: AbortSignal): Promise<UploadRow>;
  /**
   * Some rows of a table, straight from the bundle, in its order; fewer when the table ends.
   * INVALID_INPUT when they are too many or too large together for one page.
   */
  readRows(
    actor: Actor,
    backupId: string,
    table: TableName,
    range: RowRange,
    signal: AbortSignal,
    unlock?: Unlock,
  ): Promise<readonly BundledRow[]>;
  /** A page of what a bundle holds, straight from it. INVALID_INPUT when the page is too large. */
  listEntries(
    actor: Actor,
    backupId: string,
    filter: EntryFilter,
    range: EntryRange,
    signal: AbortSignal,
    unlock?: Unlock,
  ): Promise<EntryPage>;
  /** The file at a position of the list of entries, for a download. The workspace comes from a signed link. */
  openEntry(
    workspaceId: string,
    backupId: string,
    position: number,
    signal: AbortSignal,
    unlock?: Unlock,
  ): Promise<OpenedEntry>;
  /** The signer of this instance; every bundle it makes is signed. */
  readonly signer: InstanceSigner;
  /** Bundles are sealed with a new key from now on; those of earlier keys stay readable. For an OWNER. */
  rotateEncryptionKey(actor: Actor, request?: RotateEncryptionKeyRequest): Promise<EncryptionKey>;
  /** For an OWNER. INVALID_INPUT when it is no key, or this instance's own. */
  trustSigner(actor: Actor, request: TrustSignerRequest): Promise<TrustedSignerRow>;
  /** For an OWNER. */
  distrustSigner(actor: Actor, signerId: string): Promise<void>;
  /**
   * Puts everything a fresh instance needs but the bundles into one file, sealed with the passphrase. For an OWNER.
   * INVALID_INPUT for a passphrase that is too short.
   */
  createRecoveryKit(actor: Actor, request: CreateRecoveryKitRequest): Promise<RecoveryKit>;
  /** The bytes of a kit, for its download: NOT_FOUND once it has expired. The workspace comes from a signed link. */
  openRecoveryKit(workspaceId: string, kitId: string): Promise<RandomAccess>;
  /** The bytes of a bundle, for a download. The workspace comes from a signed link. */
  openBackup(
    workspaceId: string,
    backupId: string,
    signal: AbortSignal,
  ): Promise<{ backup: BackupRow; file: RandomAccess }>;
}
