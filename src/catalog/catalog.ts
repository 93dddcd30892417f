/**
 * The contract between the engine and the catalog: row types and the repositories the engine writes through.
 * Row types have the shapes of prisma/schema.prisma (a test holds them to it), so that a row from here serves
 * a resolver as well. Every method that takes a `workspaceId` sees that workspace alone; what belongs to
 * another is not found.
 */

import type { Manifest } from '../bundle/manifest.ts';
import type { ErrorCode } from '../errors.ts';
import type { EnvFile, FileTree } from '../source/file-trees.ts';
import type { ClearedColumns, DatabaseKind, TableName } from '../source/source.ts';

export type Role = 'VIEWER' | 'OPERATOR' | 'ADMIN' | 'OWNER';
export type RecordKind = 'CREATE' | 'RESTORE' | 'VERIFY' | 'ROTATE' | 'IMPORT' | 'SELF_TEST';
export type RecordStatus = 'QUEUED' | 'RUNNING' | 'CANCELING' | 'CANCELED' | 'SUCCEEDED' | 'FAILED';
export type Trigger = 'MANUAL' | 'SCHEDULE' | 'PRE_RESTORE';
/** UNPROVEN: nothing wrong was found, but the content could not be looked at, since its key is not held. */
export type Verdict = 'PASSED' | 'FAILED' | 'UNPROVEN';
/** How deep a verification looks; each level includes those before it. */
export type VerifyLevel = 'CHECKSUM' | 'CONTENT' | 'RESTORE';
export type PhaseStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED';

/** The steps records are made of; docs/operations.md says which kind goes through which. */
export type PhaseName =
  | 'SNAPSHOT'
  | 'TABLES'
  | 'FILES'
  | 'STORE'
  | 'CATALOG'
  | 'CHECKSUM'
  | 'CONTENT'
  | 'PLAN'
  | 'PRE_RESTORE_BACKUP'
  | 'STAGE_FILES'
  | 'CLEAR_TABLES'
  | 'LOAD_TABLES'
  | 'CONSTRAINTS'
  | 'PROVE'
  | 'COMMIT'
  | 'ROLL_BACK'
  | 'RECEIVE'
  | 'DELETE'
  | 'SCRATCH'
  | 'COLLECT'
  | 'DESTROY'
  | 'CLEAN_UP';

/** Counters of a phase or record. Bytes are content bytes before compression. All are exact below 2^53. */
export type ProgressState = {
  rows: number;
  bytes: number;
  files: number;
  /** 0 to 1; null while the total is not known. */
  fraction: number | null;
  /** Over the last few seconds. */
  bytesPerSecond: number;
  /** Null while it cannot be told. */
  etaSeconds: number | null;
  /** The table or file being worked on. */
  currentItem: string | null;
};

/** The counters of what has not begun. */
export const NO_PROGRESS: ProgressState = {
  rows: 0,
  bytes: 0,
  files: 0,
  fraction: null,
  bytesPerSecond: 0,
  etaSeconds: null,
  currentItem: null,
};

/** A phase as the record remembers it. Dates are ISO 8601, since this is stored as JSON. */
export type PhaseState = {
  /** From 0, in order of start. */
  index: number;
  name: PhaseName;
  status: PhaseStatus;
  startedAt: string;
  finishedAt: string | null;
  progress: ProgressState;
};

/** Why a record failed. */
export type RecordError = {
  code: ErrorCode;
  /** The phase it failed in; null before the first. */
  phase: PhaseName | null;
  message: string;
  hint: string | null;
};

/** JSON data. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One record. */
export type RecordRow = {
  id: string;
  workspaceId: string;
  kind: RecordKind;
  status: RecordStatus;
  trigger: Trigger;
  sourceId: string | null;
  jobId: string | null;
  backupId: string | null;
  parentId: string | null;
  requestedBy: string;
  request: Json;
  phases: PhaseState[];
  progress: ProgressState;
  warnings: string[];
  error: RecordError | null;
  result: Json;
  sizeBytes: bigint | null;
  checksum: string | null;
  lastSequence: number;
  leaseOwner: string | null;
  leaseUntil: Date | null;
  queuedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
};

/** What changes on a record while it runs. */
export type RecordChange = Partial<
  Pick<
    RecordRow,
    | 'status'
    | 'backupId'
    | 'request'
    | 'phases'
    | 'progress'
    | 'warnings'
    | 'error'
    | 'result'
    | 'sizeBytes'
    | 'checksum'
    | 'startedAt'
    | 'finishedAt'
  >
>;

export type RecordEventType = 'RECORD_CHANGED' | 'PHASE_STARTED' | 'PHASE_FINISHED' | 'RECORD_FINISHED';

/** A persisted state event. */
export type RecordEventRow = {
  recordId: string;
  sequence: number;
  type: RecordEventType;
  occurredAt: Date;
  phase: PhaseState | null;
};

/** A new record. */
export type NewRecord = Pick<RecordRow, 'workspaceId' | 'kind' | 'trigger' | 'requestedBy' | 'request'> &
  Partial<Pick<RecordRow, 'sourceId' | 'jobId' | 'backupId' | 'parentId'>>;

/** How the database of a source is reached; the connection string is in clear here and nowhere else. */
export type DatabaseSettings =
  | { readonly kind: 'SQLITE'; readonly path: string }
  | { readonly kind: 'POSTGRESQL'; readonly url: string }
  | { readonly kind: 'MARIADB'; readonly url: string };

/** Where drills of a source may make databases. Drills of SQLite use a temporary file and need neither. */
export interface DrillSettings {
  /** Connection string of a scratch server of the source's kind; null when there is none. */
  readonly url: string | null;
  /** Whether databases may be made on the source's own server. */
  readonly onOwnServer: boolean;
}

/** What a source is made of. */
export interface SourceDefinition {
  readonly name: string;
  readonly database: DatabaseSettings | null;
  readonly excludedTables: readonly TableName[];
  readonly clearedColumns: readonly ClearedColumns[];
  readonly trees: readonly FileTree[];
  readonly configTrees: readonly FileTree[];
  readonly envFile: EnvFile | null;
  /** Neither unless given. */
  readonly drill?: DrillSettings;
}

/** A source as the engine sees it. */
export interface SourceRow extends SourceDefinition {
  readonly id: string;
  readonly workspaceId: string;
  readonly createdAt: Date;
}

/** One backup. */
export type BackupRow = {
  id: string;
  workspaceId: string;
  sourceId: string | null;
  jobId: string | null;
  name: string;
  storageKey: string;
  sizeBytes: bigint;
  checksum: string;
  formatVersion: number;
  trigger: Trigger;
  manifest: Manifest;
  pinned: boolean;
  missing: boolean;
  deletingAt: Date | null;
  createdAt: Date;
  lastVerifiedAt: Date | null;
  lastVerdict: Verdict | null;
  lastVerifyMessage: string | null;
};

/** A new backup. `createdAt` is the snapshot's for imported bundles. */
export type NewBackup = Omit<
  BackupRow,
  'id' | 'pinned' | 'missing' | 'deletingAt' | 'lastVerifiedAt' | 'lastVerdict' | 'lastVerifyMessage'
>;

/** A table as a verification found it. */
export type CertifiedTable = {
  schema: string | null;
  name: string;
  rows: number;
  /** Content digest, 32 hex digits; null where the rows were not digested. */
  digest: string | null;
};

/** What one verification of a backup found, and what it took. */
export type CertificateRow = {
  id: string;
  backupId: string;
  recordId: string | null;
  level: VerifyLevel;
  verdict: Verdict;
  startedAt: Date;
  finishedAt: Date;
  /** Of a drill: from the bundle to the committed rows and files; null without one. */
  restoreSeconds: number | null;
  entries: bigint;
  rows: bigint;
  bytes: bigint;
  files: bigint;
  /** One sentence for people. */
  message: string;
  tables: CertifiedTable[];
};

/** A key that bundles of mode KEY are sealed with; in clear here and nowhere else. */
export interface EncryptionKeyRow {
  readonly id: string;
  readonly workspaceId: string;
  /** 32 bytes. */
  readonly key: Buffer;
  readonly createdAt: Date;
  /** Since when it seals no more; null for the one that seals. */
  readonly retiredAt: Date | null;
}

/** The signing key of another instance whose bundles are trusted in a workspace. */
export type TrustedSignerRow = {
  id: string;
  workspaceId: string;
  /** SHA-256 of the raw public key, hexadecimal. */
  fingerprint: string;
  /** The raw public key, base64. */
  publicKey: string;
  name: string;
  createdAt: Date;
};

/** A job as it is kept. */
export type JobRow = {
  id: string;
  sourceId: string;
  name: string;
  enabled: boolean;
  schedule: string | null;
  timezone: string;
  selection: Json;
  retention: Json;
  createdAt: Date;
};

/** What a workspace needs to begin anew elsewhere: everything but its backups, its records and who may act in it. */
export interface WorkspaceState {
  readonly workspace: { readonly id: string; readonly name: string; readonly createdAt: Date };
  /** Oldest first; in clear. Without retired ones that this instance key does not open. */
  readonly encryptionKeys: readonly Omit<EncryptionKeyRow, 'workspaceId'>[];
  /** With their connection strings in clear. */
  readonly sources: readonly Omit<SourceRow, 'workspaceId'>[];
  readonly jobs: readonly JobRow[];
  readonly trustedSigners: readonly Omit<TrustedSignerRow, 'id' | 'workspaceId'>[];
  readonly settings: readonly { readonly key: string; readonly value: Json }[];
}

/** The holder of a source's lock. */
export type LockRow = {
  sourceId: string;
  recordId: string;
  owner: string;
  token: number;
  acquiredAt: Date;
  expiresAt: Date;
};

/** An uploaded bundle; its bytes are at `<data>/uploads/<id>`. */
export type UploadRow = {
  id: string;
  workspaceId: string;
  fileName: string;
  sizeBytes: bigint;
  checksum: string;
  createdAt: Date;
  expiresAt: Date;
};

/** What says whether the bundle of a backup is where it should be. */
export type StoredBackup = Pick<BackupRow, 'id' | 'name' | 'storageKey' | 'missing'>;

/** What retention needs to know of a backup. */
export type BackupSummary = Pick<
  BackupRow,
  | 'id'
  | 'name'
  | 'sourceId'
  | 'jobId'
  | 'trigger'
  | 'pinned'
  | 'missing'
  | 'createdAt'
  | 'sizeBytes'
  | 'lastVerdict'
  | 'lastVerifiedAt'
>;

export interface SourceRepository {
  find(workspaceId: string, id: string): Promise<SourceRow | undefined>;
  /** INVALID_INPUT when the name is taken. */
  create(workspaceId: string, definition: SourceDefinition): Promise<SourceRow>;
  /** NOT_FOUND, or INVALID_INPUT when the name is taken. */
  update(workspaceId: string, id: string, definition: SourceDefinition): Promise<SourceRow>;
  /** Backups and records stay, without a source. False when there was nothing to delete. */
  delete(workspaceId: string, id: string): Promise<boolean>;
}

export interface BackupRepository {
  find(workspaceId: string, id: string): Promise<BackupRow | undefined>;
  findByStorageKey(storageKey: string): Promise<BackupRow | undefined>;
  create(backup: NewBackup): Promise<BackupRow>;
  /** Of one source, or of all for null; newest first, without those being deleted. */
  summaries(workspaceId: string, sourceId: string | null): Promise<readonly BackupSummary[]>;
  setPinned(workspaceId: string, id: string, pinned: boolean): Promise<BackupRow | undefined>;
  setMissing(id: string, missing: boolean): Promise<void>;
  /** At most `count` backups whose id comes after `after`, by id, without those being deleted. */
  stored(workspaceId: string, after: string | null, count: number): Promise<readonly StoredBackup[]>;
  /** Whether any backup has its bundle in storage, as far as the catalog knows. */
  anyStored(workspaceId: string): Promise<boolean>;
  /** Those of the storage keys that are of a backup, be it one that is being deleted. */
  knownKeys(storageKeys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Workspaces that have backups. */
  workspaces(): Promise<readonly string[]>;
  /**
   * Adds a certificate and makes it the backup's last verification, in one transaction; but a shallower look that finds
   * nothing does not replace what a deeper one has found. NOT_FOUND without the backup.
   */
  certify(certificate: Omit<CertificateRow, 'id'>): Promise<CertificateRow>;
  /** Marks a backup before its file is removed; null takes the mark back. */
  markDeleting(id: string, at: Date | null): Promise<void>;
  /** Backups whose deletion was begun and not finished, of every workspace. */
  deleting(): Promise<readonly BackupRow[]>;
  delete(id: string): Promise<void>;
}

export interface RecordRepository {
  find(workspaceId: string, id: string): Promise<RecordRow | undefined>;
  /** Creates a QUEUED record and its first event. */
  create(record: NewRecord): Promise<RecordRow>;
  /**
   * Takes a QUEUED or expired record for `owner` until `until`, or one whose lease is held by `deadOwner`, a
   * process that certainly runs no more. False when somebody else has it.
   */
  claim(id: string, owner: string, until: Date, deadOwner?: string): Promise<boolean>;
  /**
   * Writes a change and its event in one transaction, giving the event the next sequence number, provided the
   * lease is still `owner`'s; LOCK_LOST otherwise. Returns the record and the event as they now stand.
   */
  append(
    id: string,
    owner: string,
    change: RecordChange,
    event: Pick<RecordEventRow, 'type' | 'phase'>,
  ): Promise<{ record: RecordRow; event: RecordEventRow }>;
  /** Writes progress without an event; silently does nothing when the lease is lost. */
  saveProgress(id: string, owner: string, phases: PhaseState[], progress: ProgressState): Promise<void>;
  /** False when the lease was lost. */
  renewLease(id: string, owner: string, until: Date): Promise<boolean>;
  /**
   * Asks for cancellation: QUEUED becomes CANCELED at once, RUNNING becomes CANCELING, anything else stays as it
   * is. Undefined when there is no such record; `event` is undefined when nothing changed.
   */
  requestCancel(
    workspaceId: string,
    id: string,
  ): Promise<{ record: RecordRow; event: RecordEventRow | undefined } | undefined>;
  /** Every record that is not finished, oldest first, of every workspace. */
  unfinished(): Promise<readonly RecordRow[]>;
  /** Running records of a workspace, for the console's first look. */
  running(workspaceId: string): Promise<readonly RecordRow[]>;
  /** Persisted events above `afterSequence`, in order. */
  eventsAfter(recordId: string, afterSequence: number): Promise<readonly RecordEventRow[]>;
  /** The newest finished CREATE record of a source that is not a pre-restore snapshot. */
  latestCreate(sourceId: string): Promise<RecordRow | undefined>;
}

export interface LockRepository {
  /** Takes the lock, also over an expired one. Undefined when somebody else holds it. */
  acquire(sourceId: string, recordId: string, owner: string, until: Date): Promise<LockRow | undefined>;
  /** False when the lock was lost. */
  renew(sourceId: string, token: number, until: Date): Promise<boolean>;
  /** Idempotent. */
  release(sourceId: string, token: number): Promise<void>;
  /** Releases whatever the record holds; for recovery. */
  releaseOf(recordId: string): Promise<void>;
  find(sourceId: string): Promise<LockRow | undefined>;
  /** Every lock, of every workspace; at most one a source. */
  all(): Promise<readonly LockRow[]>;
}

export interface UploadRepository {
  create(upload: Omit<UploadRow, 'createdAt'>): Promise<UploadRow>;
  find(workspaceId: string, id: string): Promise<UploadRow | undefined>;
  delete(id: string): Promise<void>;
  expired(now: Date): Promise<readonly UploadRow[]>;
}

export interface EncryptionKeyRepository {
  /** The key that seals now; made on first use. */
  active(workspaceId: string): Promise<EncryptionKeyRow>;
  find(workspaceId: string, id: string): Promise<EncryptionKeyRow | undefined>;
  /** Retires the active key and makes the next. Bundles of the old one stay readable. */
  rotate(workspaceId: string, at: Date): Promise<EncryptionKeyRow>;
  /** Oldest first. */
  all(workspaceId: string): Promise<readonly EncryptionKeyRow[]>;
  /** Takes a key of a recovery kit, retired; does nothing when it is there already. */
  adopt(workspaceId: string, key: Pick<EncryptionKeyRow, 'id' | 'key' | 'createdAt'>): Promise<void>;
}

export interface TrustedSignerRepository {
  find(workspaceId: string, fingerprint: string): Promise<TrustedSignerRow | undefined>;
  /** Does nothing but rename it when it is trusted already. */
  add(
    workspaceId: string,
    signer: Pick<TrustedSignerRow, 'fingerprint' | 'publicKey' | 'name'>,
  ): Promise<TrustedSignerRow>;
  /** False when there was nothing to remove. */
  remove(workspaceId: string, id: string): Promise<boolean>;
  all(workspaceId: string): Promise<readonly TrustedSignerRow[]>;
}

export interface WorkspaceRepository {
  /** All of it as it was at one moment. NOT_FOUND without the workspace. */
  state(workspaceId: string): Promise<WorkspaceState>;
}

/** Everything the engine writes to the catalog. */
export interface Catalog {
  readonly sources: SourceRepository;
  readonly backups: BackupRepository;
  readonly records: RecordRepository;
  readonly locks: LockRepository;
  readonly uploads: UploadRepository;
  readonly encryptionKeys: EncryptionKeyRepository;
  readonly trustedSigners: TrustedSignerRepository;
  readonly workspaces: WorkspaceRepository;
}

/** The kind of a source's database, for a typed `switch`. */
export type { DatabaseKind };
