/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The parts of a backup. */
export type BackupEntryArea =
  /** Configuration directories. */
  | 'CONFIG'
  /** The database. */
  | 'DATABASE'
  /** The env file. */
  | 'ENV'
  /** File trees. */
  | 'FILES';

/** Which entries to list. Conditions are joined by AND. */
export type BackupEntryFilter = {
  /** In one of these parts. */
  area?: Array<BackupEntryArea> | null | undefined;
  /** Of one of these kinds. */
  kind?: Array<BackupEntryKind> | null | undefined;
  /** Whose path begins with this; end it with `/` for what is in a directory. */
  pathPrefix?: string | null | undefined;
  /** With this in the path, or in the name of the table. Upper and lower case differ. */
  search?: string | null | undefined;
  /** In the tree of this name. */
  tree?: string | null | undefined;
};

/** What an entry of a backup is. */
export type BackupEntryKind =
  /** A directory. */
  | 'DIRECTORY'
  /** A file. */
  | 'FILE'
  /** The structure of the database, as DDL. */
  | 'SCHEMA'
  /** A symbolic link. */
  | 'SYMLINK'
  /** Rows of a table, or some of them. */
  | 'TABLE_PART';

/** Which backups to list. Conditions are joined by AND. */
export type BackupFilter = {
  /** Made at this moment or later. */
  createdAfter?: string | null | undefined;
  /** Made before this moment. */
  createdBefore?: string | null | undefined;
  /** Only those whose bundle is gone, or only others. */
  missing?: boolean | null | undefined;
  /** Only pinned ones, or only others. */
  pinned?: boolean | null | undefined;
  /** Only those that a drill has restored and found whole, or only others. */
  proven?: boolean | null | undefined;
  /** With this in the name. */
  search?: string | null | undefined;
  /** Of this source. */
  sourceId?: string | null | undefined;
  /** With one of these triggers. */
  trigger?: Array<Trigger> | null | undefined;
  /** Whose standing verification found this. */
  verdict?: Verdict | null | undefined;
};

/** How to sort backups. */
export type BackupOrder = {
  /** Which way. */
  direction: OrderDirection;
  /** What to sort by. */
  field: BackupOrderField;
};

/** What backups are sorted by. */
export type BackupOrderField =
  /** When they were made. */
  | 'CREATED_AT'
  /** Their names. */
  | 'NAME'
  /** The size of their bundles. */
  | 'SIZE';

/** Which bundle: exactly one of the two. */
export type BundleInput =
  {   /** The bundle of this backup. */
  backupId: string; uploadId?: never; }
  |  { backupId?: never;   /** The bundle that was uploaded under this id. */
  uploadId: string; };

/** Which record to cancel. */
export type CancelRecordInput = {
  /** The record. */
  recordId: string;
};

/** Columns that a restore sets to NULL: runtime references that mean nothing afterwards. */
export type ClearedColumnsInput = {
  /** The columns. */
  columns: Array<string>;
  /** The table. */
  table: TableNameInput;
};

/** How the content of a bundle is compressed. What does not get smaller is stored as it is. */
export type Compression =
  /** Deflate at level 1: fast, and every tool opens it. */
  | 'DEFLATE_1'
  /** Deflate at level 6: smaller, several times slower. */
  | 'DEFLATE_6'
  /** Not at all, for storage that compresses by itself. */
  | 'STORE'
  /** Zstandard: fastest and small; bsdtar and 7-Zip open it, unzip does not. */
  | 'ZSTD';

/** What to back up. */
export type CreateBackupInput = {
  /** How the content is compressed. */
  compression?: Compression;
  /** How to seal it; left out, with the key that Holdfast keeps (KEY). */
  encryption?: EncryptionInput | null | undefined;
  /** Leave out tables that may not be read, with a warning; else they refuse the backup by name. */
  leaveOutUnreadable?: boolean;
  /** Which parts of it. */
  selection?: SelectionInput | null | undefined;
  /** The source. */
  sourceId: string;
};

/** How to seal the kit. */
export type CreateRecoveryKitInput = {
  /** What opens the kit: 12 to 1024 characters. Put it into a variable, not into the operation. It is written down nowhere; keep it well, and not beside the kit. */
  passphrase: string;
};

/** What the new source is made of; what is left out it does not have. */
export type CreateSourceInput = {
  /** Columns that a restore sets to NULL, all of them. */
  clearedColumns?: Array<ClearedColumnsInput> | null | undefined;
  /** Configuration directories, all of them. */
  configTrees?: Array<FileTreeInput> | null | undefined;
  /** Its database; null for none. */
  database?: SourceDatabaseInput | null | undefined;
  /** Where its backups are drilled; of its fields too, what is left out stays. Null for nowhere. */
  drill?: DrillInput | null | undefined;
  /** The env file; null for none. */
  envFile?: EnvFileInput | null | undefined;
  /** Tables not to back up, all of them. */
  excludedTables?: Array<TableNameInput> | null | undefined;
  /** Its name, unique in the workspace. */
  name: string;
  /** Directories to back up, all of them. */
  trees?: Array<FileTreeInput> | null | undefined;
};

/** The kinds of database a source can have. */
export type DatabaseKind =
  /** A MariaDB or MySQL database. */
  | 'MARIADB'
  /** A PostgreSQL database. */
  | 'POSTGRESQL'
  /** An SQLite file. */
  | 'SQLITE';

/** How a restore ended. Look at the database itself first: nothing checks what is said here. */
export type DecideRestoreInput = {
  /** The record of the restore. */
  recordId: string;
  /** The side the database is on. WHOLLY_NEW keeps the files of the bundle and removes those it replaced, WHOLLY_OLD puts those back. */
  targetState: TargetState;
};

/** Which backup to delete. */
export type DeleteBackupInput = {
  /** The backup. */
  backupId: string;
};

/** Which source to delete. */
export type DeleteSourceInput = {
  /** The source. */
  sourceId: string;
};

/** Whom not to trust any more. */
export type DistrustSignerInput = {
  /** The trusted signer. */
  signerId: string;
};

/** Where drills (verifications of level RESTORE) may make databases of their own, and drop them. */
export type DrillInput = {
  /** Whether they may be made on the server of the source itself. Not needed for SQLite, nor for MariaDB, where the user needs the privilege alone. */
  onOwnServer?: boolean | null | undefined;
  /** Connection string of a scratch server of the database's kind; null for none. Kept encrypted and never shown again. */
  url?: string | null | undefined;
};

/** How to seal a backup: a mode, and exactly what that mode needs. */
export type EncryptionInput = {
  /** The mode. */
  mode: EncryptionMode;
  /** PASSPHRASE needs it: 8 to 1024 characters. It is written down nowhere; keep it well. */
  passphrase?: string | null | undefined;
  /** RECIPIENT needs them: 1 to 20, as `age1…`. */
  recipients?: Array<string> | null | undefined;
};

/** How a bundle is sealed. Its manifest stays readable whatever the mode. */
export type EncryptionMode =
  /** With a key that Holdfast keeps: nothing has to be given to restore here. */
  | 'KEY'
  /** Not at all: whoever has the bundle can read it. */
  | 'NONE'
  /** With a passphrase, in the age format. Holdfast does not keep it. */
  | 'PASSPHRASE'
  /** For the holders of age identities, whose recipients are named. Holdfast cannot open it. */
  | 'RECIPIENT';

/** A file with settings and secrets. Taken only by backups that ask for it. */
export type EnvFileInput = {
  /** Absolute path of the file, inside a root. */
  path: string;
  /** Where a restore writes it; left out, it is not restored. */
  restorePath?: string | null | undefined;
};

/** What went wrong, for programs. */
export type ErrorCode =
  /** The record was canceled, or another that it needs. */
  | 'CANCELED'
  /** The bundle cannot be decrypted with the key at hand. */
  | 'DECRYPTION_FAILED'
  /** The caller is known, but its role does not allow this. */
  | 'FORBIDDEN'
  /** The bundle or catalog was written by a newer Holdfast. */
  | 'FORMAT_TOO_NEW'
  /** The bundle was written in a format that is no longer read. */
  | 'FORMAT_TOO_OLD'
  /** A fault of Holdfast itself; the log has the details under the given id. */
  | 'INTERNAL'
  /** Content does not match its recorded checksum, size or count. */
  | 'INVALID_CHECKSUM'
  /** The input breaks a rule; the message names the field and the rule. */
  | 'INVALID_INPUT'
  /** The bundle is empty, truncated, no bundle at all, or its manifest is malformed. */
  | 'INVALID_MANIFEST'
  /** The signature of the manifest does not match. */
  | 'INVALID_SIGNATURE'
  /** Another record is working on this source. */
  | 'LOCK_HELD'
  /** The lock on the source expired while the record was working; it stopped. */
  | 'LOCK_LOST'
  /** Nothing with this id exists in the workspace. */
  | 'NOT_FOUND'
  /** The selection restores nothing. */
  | 'NO_OP_RESTORE'
  /** The restore plan is not the one that was approved. */
  | 'PLAN_CHANGED'
  /** Too many requests; try again later. */
  | 'RATE_LIMITED'
  /** The structure of the target differs from what the bundle holds. */
  | 'SCHEMA_MISMATCH'
  /** The application holds locks or sessions that the operation has to wait for. */
  | 'SOURCE_BUSY'
  /** The database or path of the source cannot be reached or read. */
  | 'SOURCE_UNREACHABLE'
  /** The storage, staging area or database has no room left. */
  | 'STORAGE_FULL'
  /** The storage cannot be read or written. */
  | 'STORAGE_UNAVAILABLE'
  /** No valid credentials came with the request. */
  | 'UNAUTHENTICATED'
  /** A path leaves its tree, the configured roots, or is otherwise not allowed. */
  | 'UNSAFE_PATH';

/** A directory to back up. */
export type FileTreeInput = {
  /** Globs of what not to take; they win. */
  exclude?: Array<string> | null | undefined;
  /** Globs of what to take, `**` included; everything when left out. */
  include?: Array<string> | null | undefined;
  /** Its name in bundles, unique among the trees of the source. */
  name: string;
  /** Absolute path of the directory, inside a root. */
  path: string;
};

/** Which bundle to import: exactly one of uploadId and storageKey. */
export type ImportBackupInput = {
  /** The source it belongs to; left out, it belongs to none. */
  sourceId?: string | null | undefined;
  /** A file that lies in the storage already, as `unknownBundles` names it. It stays where it lies. */
  storageKey?: string | null | undefined;
  /** What opens the bundle, where its key is not kept here. Without it the bundle is taken in unread, with a warning. */
  unlock?: UnlockInput | null | undefined;
  /** The id that POST /upload answered. */
  uploadId?: string | null | undefined;
};

/** A MariaDB database (10.6 or newer), or a MySQL one (8.0 or newer, untested). */
export type MariadbInput = {
  /** The connection string: mariadb://user:password@host:port/database. Kept encrypted and never shown again. */
  url: string;
};

/** What to do when the structure of the target is not the bundle's. An empty target gets the bundle's structure whatever is said. */
export type OnDrift =
  /** Load what fits safely: columns added since take their defaults, columns and tables that are gone are left out and listed, values that a new type would alter are refused. */
  | 'ADAPT'
  /** Stop before anything is touched. */
  | 'REFUSE'
  /** Put the bundle's structure back. Tables that the bundle does not know stay untouched. Needs all tables of the bundle. */
  | 'RESTORE_SCHEMA';

/** Which way a list runs. */
export type OrderDirection =
  /** Smallest, oldest or first in the alphabet first. */
  | 'ASC'
  /** Largest, newest or last in the alphabet first. */
  | 'DESC';

/** What a restore would do to a path. */
export type PathChange =
  /** It would be there again. */
  | 'ADDED'
  /** It would be replaced. */
  | 'CHANGED'
  /** It would be gone. */
  | 'REMOVED';

/** The steps that records are made of. */
export type PhaseName =
  /** Enters the backup in the catalog. */
  | 'CATALOG'
  /** Reads the whole bundle and compares its SHA-256. */
  | 'CHECKSUM'
  /** Removes what a drill or self-test has made. */
  | 'CLEAN_UP'
  /** Empties the tables, within the transaction. */
  | 'CLEAR_TABLES'
  /** Makes the canary of a self-test. */
  | 'COLLECT'
  /** Makes database and files new, together. */
  | 'COMMIT'
  /** Sets sequences, brings back keys and checks them. */
  | 'CONSTRAINTS'
  /** Reads every entry and compares checksum, size and count with the manifest. */
  | 'CONTENT'
  /** Deletes backups. */
  | 'DELETE'
  /** Destroys the canary of a self-test, which only its bundle brings back. */
  | 'DESTROY'
  /** Writes the files into the bundle. */
  | 'FILES'
  /** Loads the tables, within the transaction. */
  | 'LOAD_TABLES'
  /** Compares bundle and target. */
  | 'PLAN'
  /** Backs the target up before it is changed. */
  | 'PRE_RESTORE_BACKUP'
  /** Reads the tables back and compares them with the bundle. */
  | 'PROVE'
  /** Takes an uploaded bundle into storage. */
  | 'RECEIVE'
  /** Leaves database and files as they were. */
  | 'ROLL_BACK'
  /** Makes the scratch database and directory of a drill. */
  | 'SCRATCH'
  /** Opens one consistent view of the database. */
  | 'SNAPSHOT'
  /** Writes the files beside their targets. */
  | 'STAGE_FILES'
  /** Makes the bundle durable and visible in storage. */
  | 'STORE'
  /** Writes the tables into the bundle. */
  | 'TABLES';

/** Where a phase stands. */
export type PhaseStatus =
  /** Ended by a cancellation. */
  | 'CANCELED'
  /** Ended by an error. */
  | 'FAILED'
  /** At work. */
  | 'RUNNING'
  /** Done. */
  | 'SUCCEEDED';

/** Which backup to pin or unpin. */
export type PinBackupInput = {
  /** The backup. */
  backupId: string;
  /** False lets it go again. */
  pinned?: boolean;
};

/** A PostgreSQL database. */
export type PostgresqlInput = {
  /** The connection string: postgresql://user:password@host:port/database. Kept encrypted and never shown again. */
  url: string;
};

/** Whether the target is backed up before it is changed. */
export type PreRestoreBackup =
  /** It is; when that fails, the restore goes on with a warning. */
  | 'BEST_EFFORT'
  /** It is not. */
  | 'NONE'
  /** It is; when that fails, nothing is restored. */
  | 'REQUIRED';

/** How to compare. */
export type ReconcileStorageInput = {
  /** Only count; mark nothing. */
  dryRun?: boolean;
};

/** Which records to list. Conditions are joined by AND. */
export type RecordFilter = {
  /** Of this backup. */
  backupId?: string | null | undefined;
  /** Asked for at this moment or later. */
  createdAfter?: string | null | undefined;
  /** Asked for before this moment. */
  createdBefore?: string | null | undefined;
  /** Of one of these kinds. */
  kind?: Array<RecordKind> | null | undefined;
  /** Whose member, source or backup has this in its name. */
  search?: string | null | undefined;
  /** Of this source. */
  sourceId?: string | null | undefined;
  /** In one of these states. */
  status?: Array<RecordStatus> | null | undefined;
  /** With one of these triggers. */
  trigger?: Array<Trigger> | null | undefined;
};

/** What a record executes. */
export type RecordKind =
  /** Makes a backup. */
  | 'CREATE'
  /** Takes an uploaded bundle in as a backup. */
  | 'IMPORT'
  /** Restores a backup or an uploaded bundle. */
  | 'RESTORE'
  /** Deletes the backups that a retention policy does not keep. */
  | 'ROTATE'
  /** Backs up a canary, destroys, restores and compares it; nothing of it stays. */
  | 'SELF_TEST'
  /** Reads a backup and checks all of it. */
  | 'VERIFY';

/** How to sort records. */
export type RecordOrder = {
  /** Which way. */
  direction: OrderDirection;
  /** What to sort by. */
  field: RecordOrderField;
};

/** What records are sorted by. */
export type RecordOrderField =
  /** When they were asked for. */
  | 'QUEUED_AT';

/** Where a record stands. */
export type RecordStatus =
  /** Stopped on request; nothing half-made stayed. */
  | 'CANCELED'
  /** Asked to stop; cleans up. */
  | 'CANCELING'
  /** Ended by an error; see `error`. */
  | 'FAILED'
  /** Waits for its turn. */
  | 'QUEUED'
  /** At work. */
  | 'RUNNING'
  /** Done. */
  | 'SUCCEEDED';

/** What to restore, and how. */
export type RestoreBackupInput = {
  /** Allow a bundle that was made from another source. */
  allowForeignSource?: boolean;
  /** The bundle to restore. */
  bundle: BundleInput;
  /** Do everything, say what was done, then take it back. */
  dryRun?: boolean;
  /** End the application's sessions on the database first. */
  endSessions?: boolean;
  /** Milliseconds a statement waits for a lock of the application: 1 to 600,000. */
  lockTimeoutMs?: number;
  /** What to do when the structure of the target changed since the bundle was made. */
  onDrift?: OnDrift;
  /** Allow the env file to be written over the one it was read from. */
  overwriteEnvFile?: boolean;
  /** The hash of a restorePlan: refused with PLAN_CHANGED when the plan is another by now. */
  planHash?: string | null | undefined;
  /** Whether the target is backed up first. */
  preRestoreBackup?: PreRestoreBackup;
  /** Which parts to restore. */
  selection?: SelectionInput | null | undefined;
  /** The source to restore into; the backup's own when left out. Needed for uploads. */
  sourceId?: string | null | undefined;
  /** Restore a bundle that is unsigned or whose signer is not trusted, and run the code of its schema. For an OWNER alone. */
  trustUnknownSigner?: boolean;
  /** What opens the bundle, where its key is not kept here. */
  unlock?: UnlockInput | null | undefined;
};

/** Which restore to plan. */
export type RestorePlanInput = {
  /** The bundle to restore. */
  bundle: BundleInput;
  /** What to do when the structure of the target changed since. */
  onDrift?: OnDrift;
  /** Which parts to restore. */
  selection?: SelectionInput | null | undefined;
  /** The source to restore into; the backup's own when left out. Needed for uploads. */
  sourceId?: string | null | undefined;
  /** What opens the bundle, where its key is not kept here. */
  unlock?: UnlockInput | null | undefined;
};

/** What a restore does to the structure of the database. */
export type RestoreStructure =
  /** The target is empty and gets the bundle's structure. */
  | 'CREATE'
  /** Nothing: rows alone are replaced. */
  | 'KEEP'
  /** The bundle's structure takes the place of what is there. */
  | 'REPLACE';

/** What a member may do. Each role may do all that the one before it may. */
export type Role =
  /** Manages sources; restores, rotates, deletes, imports and downloads backups. */
  | 'ADMIN'
  /** Makes, verifies and pins backups; runs self-tests; cancels records. */
  | 'OPERATOR'
  /** Everything; decides restores whose database cannot be asked, and which signers are trusted; rotates keys. */
  | 'OWNER'
  /** Sees metadata. */
  | 'VIEWER';

/** Which backups to keep. A backup stays if any rule keeps it; at least one rule must be positive. */
export type RotateBackupsInput = {
  /** Only say what would be deleted. */
  dryRun?: boolean;
  /** Keep those of the last so many days. */
  keepDays?: number | null | undefined;
  /** Keep this many of the newest, per source. */
  keepLast?: number | null | undefined;
  /** Only backups of this source; of every source when left out. */
  sourceId?: string | null | undefined;
};

/** Which key to retire. */
export type RotateEncryptionKeyInput = {
  /** The key that seals now; refused when it is another by now. Left out, whichever it is. */
  replaces?: string | null | undefined;
};

/** How to test. */
export type RunSelfTestInput = {
  /** How the canary's bundle is compressed: that of the backups that matter. */
  compression?: Compression;
};

/** What happened to an object since the bundle was made. */
export type SchemaChange =
  /** It is there now and was not then. */
  | 'ADDED'
  /** It is not what it was. */
  | 'CHANGED'
  /** It was there then and is not now. */
  | 'REMOVED';

/** Which parts of a source or bundle to take. Left out, it means everything but the env file. */
export type SelectionInput = {
  /** Only the configuration directories of these names; all when left out. */
  configTrees?: Array<string> | null | undefined;
  /** Whether to take the database. */
  database?: boolean;
  /** Whether to take the env file. It holds secrets, so only when asked for. */
  envFile?: boolean;
  /** Only these tables; all when left out. Foreign keys that reach outside become warnings. */
  tables?: Array<TableNameInput> | null | undefined;
  /** Only the file trees of these names; all when left out. */
  trees?: Array<string> | null | undefined;
};

/** The steps of a self-test, in order. */
export type SelfTestStepName =
  /** Writes it into a bundle, sealed and signed, in the real storage. */
  | 'BACK_UP'
  /** Deletes the bundle from the storage, and the canary. */
  | 'CLEAN_UP'
  /** Makes a canary: a small database of odd values and a tree of odd files. */
  | 'COLLECT'
  /** Destroys the canary. */
  | 'DESTROY'
  /** Checks the bundle and restores the canary from it. */
  | 'RESTORE'
  /** Compares every row, counter, file, mode, time and link with what was there. */
  | 'VERIFY';

/** How far a step of a self-test is. */
export type SelfTestStepStatus =
  /** Ended by a cancellation. */
  | 'CANCELED'
  /** Ended by an error; `Record.error` tells it. */
  | 'FAILED'
  /** At work. */
  | 'RUNNING'
  /** Never began, since an earlier one did not succeed. */
  | 'SKIPPED'
  /** Done. */
  | 'SUCCEEDED'
  /** Has not begun yet. */
  | 'WAITING';

/** How the signer of a bundle is known here. */
export type SignerState =
  /** This instance signed it. */
  | 'OWN'
  /** Another instance signed it, which the workspace trusts. */
  | 'TRUSTED'
  /** Somebody signed it whom nobody here trusts. */
  | 'UNKNOWN'
  /** Nobody signed it. */
  | 'UNSIGNED';

/** The database of a source: exactly one of these. */
export type SourceDatabaseInput =
  {   /** A MariaDB or MySQL database. */
  mariadb: MariadbInput; postgresql?: never; sqlite?: never; }
  |  { mariadb?: never;   /** A PostgreSQL database. */
  postgresql: PostgresqlInput; sqlite?: never; }
  |  { mariadb?: never; postgresql?: never;   /** An SQLite file. */
  sqlite: SqliteInput; };

/** Which sources to list. Conditions are joined by AND. */
export type SourceFilter = {
  /** With a database of one of these kinds. */
  databaseKind?: Array<DatabaseKind> | null | undefined;
  /** With this in the name. */
  search?: string | null | undefined;
};

/** How to sort sources. */
export type SourceOrder = {
  /** Which way. */
  direction: OrderDirection;
  /** What to sort by. */
  field: SourceOrderField;
};

/** What sources are sorted by. */
export type SourceOrderField =
  /** When they were made. */
  | 'CREATED_AT'
  /** Their names. */
  | 'NAME';

/** An SQLite database. */
export type SqliteInput = {
  /** Absolute path of the file, inside a root. */
  path: string;
};

/** Names one table. */
export type TableNameInput = {
  /** The name within the schema. */
  name: string;
  /** Leave it out where the database has no schemas (SQLite). */
  schema?: string | null | undefined;
};

/** How a restore left its target. Database and files are together one or the other. */
export type TargetState =
  /** Everything selected is as the bundle has it. */
  | 'WHOLLY_NEW'
  /** Everything is as it was before the restore. */
  | 'WHOLLY_OLD';

/** Which source to test. */
export type TestSourceInput = {
  /** The source. */
  sourceId: string;
};

/** The two areas that hold file trees. */
export type TreeArea =
  /** Configuration directories. */
  | 'CONFIG'
  /** File trees. */
  | 'FILES';

/** Why a record or backup came to be. */
export type Trigger =
  /** Somebody asked for it. */
  | 'MANUAL'
  /** Made of the target before a restore. */
  | 'PRE_RESTORE'
  /** A schedule fired. */
  | 'SCHEDULE';

/** Whom to trust. */
export type TrustSignerInput = {
  /** What people call that instance: 1 to 100 characters. */
  name: string;
  /** The Ed25519 public key, base64: `settings { signer }` of the other instance, or `signature` of its backup, shows it. Compare the fingerprint by another way than the bundle came. */
  publicKey: string;
};

/** What opens a sealed bundle. Bundles of mode KEY need nothing. Put secrets into variables, not into the operation; they are written down nowhere. */
export type UnlockInput = {
  /** Of a bundle of mode RECIPIENT: one or more age identities, as `AGE-SECRET-KEY-1…`. */
  identities?: Array<string> | null | undefined;
  /** Of a bundle of mode PASSPHRASE. */
  passphrase?: string | null | undefined;
};

/** What changes; what is left out stays. */
export type UpdateSourceInput = {
  /** Columns that a restore sets to NULL, all of them. */
  clearedColumns?: Array<ClearedColumnsInput> | null | undefined;
  /** Configuration directories, all of them. */
  configTrees?: Array<FileTreeInput> | null | undefined;
  /** Its database; null for none. */
  database?: SourceDatabaseInput | null | undefined;
  /** Where its backups are drilled; of its fields too, what is left out stays. Null for nowhere. */
  drill?: DrillInput | null | undefined;
  /** The env file; null for none. */
  envFile?: EnvFileInput | null | undefined;
  /** Tables not to back up, all of them. */
  excludedTables?: Array<TableNameInput> | null | undefined;
  /** Its new name. */
  name?: string | null | undefined;
  /** The source. */
  sourceId: string;
  /** Directories to back up, all of them. */
  trees?: Array<FileTreeInput> | null | undefined;
};

/** What a verification found. */
export type Verdict =
  /** Something does not. */
  | 'FAILED'
  /** Everything matches its checksum, size and count. */
  | 'PASSED'
  /** Nothing wrong was found, but the content could not be looked at: its key is not held. */
  | 'UNPROVEN';

/** Which backup to verify, and how. */
export type VerifyBackupInput = {
  /** The backup. */
  backupId: string;
  /** How deep to look. */
  level?: VerifyLevel;
  /** What opens the bundle, where its key is not kept here. */
  unlock?: UnlockInput | null | undefined;
};

/** How deep a verification looks; each level includes those before it. */
export type VerifyLevel =
  /** The file against the size and SHA-256 in the catalog. */
  | 'CHECKSUM'
  /** Every entry of the bundle: CRC, SHA-256, size, form and number of rows. */
  | 'CONTENT'
  /** A drill: restored into a scratch database and a scratch directory, which are removed afterwards, and compared row by row and file by file. */
  | 'RESTORE';

export type BackupsQueryVariables = Exact<{
  filter?: BackupFilter | null | undefined;
  orderBy?: BackupOrder | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type BackupsQuery = { backups: { totalCount: number, pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: { id: string, name: string, createdAt: string, trigger: Trigger, sizeBytes: string, checksum: string, formatVersion: number, encrypted: boolean, pinned: boolean, missing: boolean, encryption: { mode: EncryptionMode, key: string | null, recipients: Array<string> }, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, contents: { tables: number, rows: string, files: string, bytes: string }, lastVerification: { at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null } | null, source: { id: string, name: string } | null } }> } };

export type BackupQueryVariables = Exact<{
  id: string;
}>;


export type BackupQuery = { backup: { id: string, name: string, createdAt: string, trigger: Trigger, sizeBytes: string, checksum: string, formatVersion: number, encrypted: boolean, pinned: boolean, missing: boolean, manifest: { createdAt: string, createdBy: string, toolVersion: string, formatVersion: number, sourceName: string, hostName: string, hostPlatform: string, trigger: Trigger, envFile: boolean, filesReadFrom: string | null, filesReadTo: string | null, warnings: Array<string>, encryption: { mode: EncryptionMode, cipher: string | null, key: string | null, recipients: Array<string>, kdf: { name: string, logN: number } | null }, signature: { algorithm: string, fingerprint: string, publicKey: string, value: string } | null, database: { kind: DatabaseKind, name: string, serverVersion: string, snapshotAt: string, schemaFingerprint: string, appliedMigrations: Array<string>, tables: Array<{ schema: string | null, name: string, rowCount: string, bytes: string, primaryKey: Array<string> }> } | null, trees: Array<{ area: TreeArea, name: string, fileCount: string, bytes: string, include: Array<string>, exclude: Array<string> }>, leftOut: Array<{ name: string, reason: string }> }, encryption: { mode: EncryptionMode, key: string | null, recipients: Array<string> }, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, contents: { tables: number, rows: string, files: string, bytes: string }, lastVerification: { at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null } | null, source: { id: string, name: string } | null } | null };

export type InspectBundleQueryVariables = Exact<{
  input: BundleInput;
}>;


export type InspectBundleQuery = { inspectBundle:
    | { __typename: 'BundleError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InspectedBundle', name: string, sizeBytes: string, checksum: string, encryption: { mode: EncryptionMode }, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, manifest: { createdAt: string, createdBy: string, toolVersion: string, formatVersion: number, sourceName: string, hostName: string, hostPlatform: string, trigger: Trigger, envFile: boolean, filesReadFrom: string | null, filesReadTo: string | null, warnings: Array<string>, encryption: { mode: EncryptionMode, cipher: string | null, key: string | null, recipients: Array<string>, kdf: { name: string, logN: number } | null }, signature: { algorithm: string, fingerprint: string, publicKey: string, value: string } | null, database: { kind: DatabaseKind, name: string, serverVersion: string, snapshotAt: string, schemaFingerprint: string, appliedMigrations: Array<string>, tables: Array<{ schema: string | null, name: string, rowCount: string, bytes: string, primaryKey: Array<string> }> } | null, trees: Array<{ area: TreeArea, name: string, fileCount: string, bytes: string, include: Array<string>, exclude: Array<string> }>, leftOut: Array<{ name: string, reason: string }> }, backup: { id: string, name: string } | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type BackupTableRowsQueryVariables = Exact<{
  id: string;
  schema?: string | null | undefined;
  name: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
  unlock?: UnlockInput | null | undefined;
}>;


export type BackupTableRowsQuery = { backup: { table: { schema: string | null, name: string, rowCount: string, columns: Array<{ name: string, type: string, nullable: boolean }>, rows: { pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: unknown, sizeBytes: string }> } | null } | null } | null };

export type BackupEntriesQueryVariables = Exact<{
  id: string;
  filter?: BackupEntryFilter | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  unlock?: UnlockInput | null | undefined;
}>;


export type BackupEntriesQuery = { backup: { entries: { totalCount: string, pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: { entry: string, kind: BackupEntryKind, area: BackupEntryArea, tree: string | null, path: string | null, size: string | null, sha256: string | null, mode: number | null, modifiedAt: string | null, target: string | null, schema: string | null, table: string | null, part: number | null, rows: string | null, downloadUrl: string | null } }> } | null } | null };

export type BackupCertificatesQueryVariables = Exact<{
  id: string;
  first?: number;
}>;


export type BackupCertificatesQuery = { backup: { name: string, certificates: Array<{ at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null, tables: Array<{ schema: string | null, name: string, rows: string, digest: string | null }>, record: { id: string } | null }> } | null };

export type BackupDownloadQueryVariables = Exact<{
  id: string;
}>;


export type BackupDownloadQuery = { backup: { name: string, sizeBytes: string, missing: boolean, downloadUrl: string | null } | null };

export type CreateBackupMutationVariables = Exact<{
  input: CreateBackupInput;
}>;


export type CreateBackupMutation = { createBackup:
    | { __typename: 'CreateBackupPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
   };

export type VerifyBackupMutationVariables = Exact<{
  input: VerifyBackupInput;
}>;


export type VerifyBackupMutation = { verifyBackup:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'VerifyBackupPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
   };

export type RunSelfTestMutationVariables = Exact<{
  input: RunSelfTestInput;
}>;


export type RunSelfTestMutation = { runSelfTest:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'RunSelfTestPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
   };

export type RotateBackupsMutationVariables = Exact<{
  input: RotateBackupsInput;
}>;


export type RotateBackupsMutation = { rotateBackups:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'RotateBackupsPayload', verdicts: Array<{ name: string, keep: boolean, reason: string, backup: { id: string } | null }>, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } | null }
   };

export type DeleteBackupMutationVariables = Exact<{
  input: DeleteBackupInput;
}>;


export type DeleteBackupMutation = { deleteBackup:
    | { __typename: 'DeleteBackupPayload', deletedBackupId: string }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type PinBackupMutationVariables = Exact<{
  input: PinBackupInput;
}>;


export type PinBackupMutation = { pinBackup:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'PinBackupPayload', backup: { id: string, name: string, createdAt: string, trigger: Trigger, sizeBytes: string, checksum: string, formatVersion: number, encrypted: boolean, pinned: boolean, missing: boolean, encryption: { mode: EncryptionMode, key: string | null, recipients: Array<string> }, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, contents: { tables: number, rows: string, files: string, bytes: string }, lastVerification: { at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null } | null, source: { id: string, name: string } | null } }
   };

export type ImportBackupMutationVariables = Exact<{
  input: ImportBackupInput;
}>;


export type ImportBackupMutation = { importBackup:
    | { __typename: 'BundleError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ImportBackupPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type UnknownBundlesQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type UnknownBundlesQuery = { unknownBundles: { pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: { storageKey: string, name: string, sizeBytes: string, modifiedAt: string, problem: string | null, bundle: { createdAt: string, sourceName: string, formatVersion: number, encryption: { mode: EncryptionMode }, signature: { state: SignerState, fingerprint: string | null } } | null } }> } | null };

export type ReconcileStorageMutationVariables = Exact<{
  input: ReconcileStorageInput;
}>;


export type ReconcileStorageMutation = { reconcileStorage:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ReconcileStoragePayload', checked: number, missing: number, vanished: number, returned: number, undecided: number, unknown: number }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type ProgressFieldsFragment = { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null };

export type PhaseFieldsFragment = { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } };

type RefusalFields_BundleError_Fragment = { __typename: 'BundleError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_ForbiddenError_Fragment = { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_InvalidInputError_Fragment = { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null };

type RefusalFields_LockHeldError_Fragment = { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_NotFoundError_Fragment = { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_RestoreRefusedError_Fragment = { __typename: 'RestoreRefusedError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_SourceUnavailableError_Fragment = { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null };

type RefusalFields_StorageError_Fragment = { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null };

export type RefusalFieldsFragment =
  | RefusalFields_BundleError_Fragment
  | RefusalFields_ForbiddenError_Fragment
  | RefusalFields_InvalidInputError_Fragment
  | RefusalFields_LockHeldError_Fragment
  | RefusalFields_NotFoundError_Fragment
  | RefusalFields_RestoreRefusedError_Fragment
  | RefusalFields_SourceUnavailableError_Fragment
  | RefusalFields_StorageError_Fragment
;

export type SourceFieldsFragment = { id: string, name: string, createdAt: string, updatedAt: string, lastProvenAt: string | null, measuredRtoSeconds: number | null, database: { kind: DatabaseKind, label: string } | null, trees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, configTrees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, envFile: { path: string, restorePath: string | null } | null, excludedTables: Array<{ schema: string | null, name: string }>, clearedColumns: Array<{ columns: Array<string>, table: { schema: string | null, name: string } }>, drill: { label: string | null, onOwnServer: boolean } };

export type VerificationFieldsFragment = { at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null };

export type BackupFieldsFragment = { id: string, name: string, createdAt: string, trigger: Trigger, sizeBytes: string, checksum: string, formatVersion: number, encrypted: boolean, pinned: boolean, missing: boolean, encryption: { mode: EncryptionMode, key: string | null, recipients: Array<string> }, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, contents: { tables: number, rows: string, files: string, bytes: string }, lastVerification: { at: string, startedAt: string | null, durationSeconds: number | null, level: VerifyLevel, verdict: Verdict, message: string | null, restoreSeconds: number | null, entries: string | null, rows: string | null, bytes: string | null, files: string | null } | null, source: { id: string, name: string } | null };

export type RecordStateFragment = { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null };

export type RecordFieldsFragment = { sizeBytes: string | null, checksum: string | null, id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, source: { id: string, name: string } | null, backup: { id: string, name: string, sizeBytes: string, checksum: string } | null, parent: { id: string, kind: RecordKind } | null, result:
    | { __typename: 'CreateResult', tables: number, rows: string, files: string, bytes: string }
    | { __typename: 'ImportResult', tables: number, rows: string, files: string, bytes: string }
    | { __typename: 'RestoreResult', dryRun: boolean, rolledBack: boolean, proven: boolean, targetState: TargetState, rowsRestored: string, filesRestored: string, envFileRestored: boolean, decidedBy: string | null, restoredTables: Array<{ schema: string | null, name: string, rows: string, digest: string }>, restoredTrees: Array<{ area: TreeArea, name: string, files: string }>, preRestoreBackup: { id: string, name: string } | null }
    | { __typename: 'RotateResult', deleted: number, kept: number, freedBytes: string, backups: Array<{ name: string, keep: boolean, reason: string, failure: string | null, backup: { id: string } | null }> }
    | { __typename: 'SelfTestResult', steps: Array<{ name: SelfTestStepName, status: SelfTestStepStatus, startedAt: string | null, finishedAt: string | null, seconds: number | null }> }
    | { __typename: 'VerifyResult', level: VerifyLevel, verdict: Verdict, restoreSeconds: number | null, message: string, entriesChecked: string, rowsChecked: string, bytesChecked: string, problems: Array<{ entry: string | null, message: string }> }
   | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null };

type EventFields_PhaseFinished_Fragment = { __typename: 'PhaseFinished', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } };

type EventFields_PhaseProgressed_Fragment = { __typename: 'PhaseProgressed', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } };

type EventFields_PhaseStarted_Fragment = { __typename: 'PhaseStarted', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } };

type EventFields_RecordFinished_Fragment = { __typename: 'RecordFinished', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } };

type EventFields_RecordSnapshot_Fragment = { __typename: 'RecordSnapshot', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } };

export type EventFieldsFragment =
  | EventFields_PhaseFinished_Fragment
  | EventFields_PhaseProgressed_Fragment
  | EventFields_PhaseStarted_Fragment
  | EventFields_RecordFinished_Fragment
  | EventFields_RecordSnapshot_Fragment
;

export type PageFieldsFragment = { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean };

export type ManifestFieldsFragment = { createdAt: string, createdBy: string, toolVersion: string, formatVersion: number, sourceName: string, hostName: string, hostPlatform: string, trigger: Trigger, envFile: boolean, filesReadFrom: string | null, filesReadTo: string | null, warnings: Array<string>, encryption: { mode: EncryptionMode, cipher: string | null, key: string | null, recipients: Array<string>, kdf: { name: string, logN: number } | null }, signature: { algorithm: string, fingerprint: string, publicKey: string, value: string } | null, database: { kind: DatabaseKind, name: string, serverVersion: string, snapshotAt: string, schemaFingerprint: string, appliedMigrations: Array<string>, tables: Array<{ schema: string | null, name: string, rowCount: string, bytes: string, primaryKey: Array<string> }> } | null, trees: Array<{ area: TreeArea, name: string, fileCount: string, bytes: string, include: Array<string>, exclude: Array<string> }>, leftOut: Array<{ name: string, reason: string }> };

export type EncryptionKeysQueryVariables = Exact<{ [key: string]: never; }>;


export type EncryptionKeysQuery = { encryptionKeys: Array<{ id: string, createdAt: string, retiredAt: string | null }> };

export type TrustedSignersQueryVariables = Exact<{ [key: string]: never; }>;


export type TrustedSignersQuery = { trustedSigners: Array<{ id: string, name: string, fingerprint: string, publicKey: string, createdAt: string }> };

export type RotateEncryptionKeyMutationVariables = Exact<{
  input: RotateEncryptionKeyInput;
}>;


export type RotateEncryptionKeyMutation = { rotateEncryptionKey:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'RotateEncryptionKeyPayload', key: { id: string, createdAt: string, retiredAt: string | null } }
   };

export type TrustSignerMutationVariables = Exact<{
  input: TrustSignerInput;
}>;


export type TrustSignerMutation = { trustSigner:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'TrustSignerPayload', signer: { id: string, name: string, fingerprint: string, publicKey: string, createdAt: string } }
   };

export type DistrustSignerMutationVariables = Exact<{
  input: DistrustSignerInput;
}>;


export type DistrustSignerMutation = { distrustSigner:
    | { __typename: 'DistrustSignerPayload', deletedSignerId: string }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
   };

export type CreateRecoveryKitMutationVariables = Exact<{
  input: CreateRecoveryKitInput;
}>;


export type CreateRecoveryKitMutation = { createRecoveryKit:
    | { __typename: 'CreateRecoveryKitPayload', downloadUrl: string, expiresAt: string, fileName: string, sizeBytes: number, sha256: string }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type SignerFieldsFragment = { id: string, name: string, fingerprint: string, publicKey: string, createdAt: string };

export type RecordsQueryVariables = Exact<{
  filter?: RecordFilter | null | undefined;
  orderBy?: RecordOrder | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type RecordsQuery = { records: { totalCount: number, pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: { sizeBytes: string | null, checksum: string | null, id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, source: { id: string, name: string } | null, backup: { id: string, name: string, sizeBytes: string, checksum: string } | null, parent: { id: string, kind: RecordKind } | null, result:
          | { __typename: 'CreateResult', tables: number, rows: string, files: string, bytes: string }
          | { __typename: 'ImportResult', tables: number, rows: string, files: string, bytes: string }
          | { __typename: 'RestoreResult', dryRun: boolean, rolledBack: boolean, proven: boolean, targetState: TargetState, rowsRestored: string, filesRestored: string, envFileRestored: boolean, decidedBy: string | null, restoredTables: Array<{ schema: string | null, name: string, rows: string, digest: string }>, restoredTrees: Array<{ area: TreeArea, name: string, files: string }>, preRestoreBackup: { id: string, name: string } | null }
          | { __typename: 'RotateResult', deleted: number, kept: number, freedBytes: string, backups: Array<{ name: string, keep: boolean, reason: string, failure: string | null, backup: { id: string } | null }> }
          | { __typename: 'SelfTestResult', steps: Array<{ name: SelfTestStepName, status: SelfTestStepStatus, startedAt: string | null, finishedAt: string | null, seconds: number | null }> }
          | { __typename: 'VerifyResult', level: VerifyLevel, verdict: Verdict, restoreSeconds: number | null, message: string, entriesChecked: string, rowsChecked: string, bytesChecked: string, problems: Array<{ entry: string | null, message: string }> }
         | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }> } };

export type RecordQueryVariables = Exact<{
  id: string;
}>;


export type RecordQuery = { record: { sizeBytes: string | null, checksum: string | null, id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, source: { id: string, name: string } | null, backup: { id: string, name: string, sizeBytes: string, checksum: string } | null, parent: { id: string, kind: RecordKind } | null, result:
      | { __typename: 'CreateResult', tables: number, rows: string, files: string, bytes: string }
      | { __typename: 'ImportResult', tables: number, rows: string, files: string, bytes: string }
      | { __typename: 'RestoreResult', dryRun: boolean, rolledBack: boolean, proven: boolean, targetState: TargetState, rowsRestored: string, filesRestored: string, envFileRestored: boolean, decidedBy: string | null, restoredTables: Array<{ schema: string | null, name: string, rows: string, digest: string }>, restoredTrees: Array<{ area: TreeArea, name: string, files: string }>, preRestoreBackup: { id: string, name: string } | null }
      | { __typename: 'RotateResult', deleted: number, kept: number, freedBytes: string, backups: Array<{ name: string, keep: boolean, reason: string, failure: string | null, backup: { id: string } | null }> }
      | { __typename: 'SelfTestResult', steps: Array<{ name: SelfTestStepName, status: SelfTestStepStatus, startedAt: string | null, finishedAt: string | null, seconds: number | null }> }
      | { __typename: 'VerifyResult', level: VerifyLevel, verdict: Verdict, restoreSeconds: number | null, message: string, entriesChecked: string, rowsChecked: string, bytesChecked: string, problems: Array<{ entry: string | null, message: string }> }
     | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } | null };

export type CancelRecordMutationVariables = Exact<{
  input: CancelRecordInput;
}>;


export type CancelRecordMutation = { cancelRecord:
    | { __typename: 'CancelRecordPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
   };

export type RecordProgressSubscriptionVariables = Exact<{
  recordId: string;
  afterSequence?: number | null | undefined;
}>;


export type RecordProgressSubscription = { recordProgress:
    | { __typename: 'PhaseFinished', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'PhaseProgressed', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'PhaseStarted', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'RecordFinished', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'RecordSnapshot', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
   };

export type WorkspaceEventsSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type WorkspaceEventsSubscription = { workspaceEvents:
    | { __typename: 'PhaseFinished', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'PhaseProgressed', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'PhaseStarted', sequence: number, occurredAt: string, phase: { index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'RecordFinished', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'RecordSnapshot', sequence: number, occurredAt: string, record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
   };

export type RestorePlanQueryVariables = Exact<{
  input: RestorePlanInput;
}>;


export type RestorePlanQuery = { restorePlan:
    | { __typename: 'BundleError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'RestorePlan', hash: string, bundleName: string, bundleChecksum: string, structure: RestoreStructure, envFile: string | null, warnings: Array<string>, refusals: Array<string>, signature: { state: SignerState, fingerprint: string | null, publicKey: string | null }, target: { id: string, name: string }, schemaDifferences: Array<{ object: string, change: SchemaChange }>, tables: Array<{ schema: string | null, name: string, rowsNow: string | null, rowsInBundle: string, drift: Array<string>, losses: Array<string> }>, untouchedTables: Array<{ schema: string | null, name: string }>, trees: Array<{ area: TreeArea, name: string, target: string, added: string, changed: string, removed: string, unchanged: string, examples: Array<{ change: PathChange, path: string }> }>, sessions: Array<{ user: string, application: string, state: string, since: string | null }> | null }
    | { __typename: 'RestoreRefusedError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type DecideRestoreMutationVariables = Exact<{
  input: DecideRestoreInput;
}>;


export type DecideRestoreMutation = { decideRestore:
    | { __typename: 'DecideRestorePayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
   };

export type RestoreBackupMutationVariables = Exact<{
  input: RestoreBackupInput;
}>;


export type RestoreBackupMutation = { restoreBackup:
    | { __typename: 'BundleError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'RestoreBackupPayload', record: { id: string, kind: RecordKind, status: RecordStatus, trigger: Trigger, requestedBy: string, queuedAt: string, startedAt: string | null, finishedAt: string | null, lastSequence: number, warnings: Array<string>, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null }, phases: Array<{ index: number, name: PhaseName, status: PhaseStatus, startedAt: string, finishedAt: string | null, progress: { fraction: number | null, bytes: string, rows: string, files: string, bytesPerSecond: number, etaSeconds: number | null, currentItem: string | null } }>, error: { code: ErrorCode, phase: PhaseName | null, message: string, hint: string | null } | null } }
    | { __typename: 'RestoreRefusedError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'StorageError', code: ErrorCode, message: string, hint: string | null }
   };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { name: string, role: Role } };

export type SettingsQueryVariables = Exact<{ [key: string]: never; }>;


export type SettingsQuery = { settings: { serverVersion: string, publicUrl: string, formatVersion: number, oldestFormatVersion: number, uploadLimitBytes: string, roots: Array<string>, signer: { fingerprint: string, publicKey: string } } };

export type LocksQueryVariables = Exact<{ [key: string]: never; }>;


export type LocksQuery = { locks: Array<{ acquiredAt: string, expiresAt: string, owner: string, source: { id: string, name: string }, record: { id: string, kind: RecordKind, status: RecordStatus } | null }> };

export type SourcesQueryVariables = Exact<{
  filter?: SourceFilter | null | undefined;
  orderBy?: SourceOrder | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type SourcesQuery = { sources: { totalCount: number, pageInfo: { startCursor: string | null, endCursor: string | null, hasNextPage: boolean, hasPreviousPage: boolean }, edges: Array<{ cursor: string, node: { id: string, name: string, createdAt: string, updatedAt: string, lastProvenAt: string | null, measuredRtoSeconds: number | null, database: { kind: DatabaseKind, label: string } | null, trees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, configTrees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, envFile: { path: string, restorePath: string | null } | null, excludedTables: Array<{ schema: string | null, name: string }>, clearedColumns: Array<{ columns: Array<string>, table: { schema: string | null, name: string } }>, drill: { label: string | null, onOwnServer: boolean } } }> } };

export type SourceQueryVariables = Exact<{
  id: string;
}>;


export type SourceQuery = { source: { id: string, name: string, createdAt: string, updatedAt: string, lastProvenAt: string | null, measuredRtoSeconds: number | null, database: { kind: DatabaseKind, label: string } | null, trees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, configTrees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, envFile: { path: string, restorePath: string | null } | null, excludedTables: Array<{ schema: string | null, name: string }>, clearedColumns: Array<{ columns: Array<string>, table: { schema: string | null, name: string } }>, drill: { label: string | null, onOwnServer: boolean } } | null };

export type CreateSourceMutationVariables = Exact<{
  input: CreateSourceInput;
}>;


export type CreateSourceMutation = { createSource:
    | { __typename: 'CreateSourcePayload', source: { id: string, name: string, createdAt: string, updatedAt: string, lastProvenAt: string | null, measuredRtoSeconds: number | null, database: { kind: DatabaseKind, label: string } | null, trees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, configTrees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, envFile: { path: string, restorePath: string | null } | null, excludedTables: Array<{ schema: string | null, name: string }>, clearedColumns: Array<{ columns: Array<string>, table: { schema: string | null, name: string } }>, drill: { label: string | null, onOwnServer: boolean } } }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null }
   };

export type UpdateSourceMutationVariables = Exact<{
  input: UpdateSourceInput;
}>;


export type UpdateSourceMutation = { updateSource:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'UpdateSourcePayload', source: { id: string, name: string, createdAt: string, updatedAt: string, lastProvenAt: string | null, measuredRtoSeconds: number | null, database: { kind: DatabaseKind, label: string } | null, trees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, configTrees: Array<{ name: string, path: string, include: Array<string>, exclude: Array<string> }>, envFile: { path: string, restorePath: string | null } | null, excludedTables: Array<{ schema: string | null, name: string }>, clearedColumns: Array<{ columns: Array<string>, table: { schema: string | null, name: string } }>, drill: { label: string | null, onOwnServer: boolean } } }
   };

export type DeleteSourceMutationVariables = Exact<{
  input: DeleteSourceInput;
}>;


export type DeleteSourceMutation = { deleteSource:
    | { __typename: 'DeleteSourcePayload', deletedSourceId: string }
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'LockHeldError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
   };

export type TestSourceMutationVariables = Exact<{
  input: TestSourceInput;
}>;


export type TestSourceMutation = { testSource:
    | { __typename: 'ForbiddenError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'InvalidInputError', field: string | null, code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'SourceUnavailableError', code: ErrorCode, message: string, hint: string | null }
    | { __typename: 'TestSourcePayload', report: { warnings: Array<string>, database: { kind: DatabaseKind, name: string, serverVersion: string, tables: Array<{ schema: string | null, name: string, rowEstimate: string, columns: Array<{ name: string, type: string, nullable: boolean, generated: boolean, hasDefault: boolean }>, foreignKeys: Array<{ name: string, columns: Array<string>, referencedColumns: Array<string>, references: { schema: string | null, name: string } }> }>, cyclicForeignKeys: Array<{ foreignKey: string, table: { schema: string | null, name: string } }> } | null, trees: Array<{ area: TreeArea, name: string, files: string, bytes: string, skipped: Array<{ path: string, reason: string }> }>, leftOut: Array<{ name: string, reason: string }> } }
   };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const RefusalFieldsFragmentDoc = new TypedDocumentString(`
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
    `, {"fragmentName":"RefusalFields"}) as unknown as TypedDocumentString<RefusalFieldsFragment, unknown>;
export const SourceFieldsFragmentDoc = new TypedDocumentString(`
    fragment SourceFields on Source {
  id
  name
  createdAt
  updatedAt
  database {
    kind
    label
  }
  trees {
    name
    path
    include
    exclude
  }
  configTrees {
    name
    path
    include
    exclude
  }
  envFile {
    path
    restorePath
  }
  excludedTables {
    schema
    name
  }
  clearedColumns {
    table {
      schema
      name
    }
    columns
  }
  drill {
    label
    onOwnServer
  }
  lastProvenAt
  measuredRtoSeconds
}
    `, {"fragmentName":"SourceFields"}) as unknown as TypedDocumentString<SourceFieldsFragment, unknown>;
export const VerificationFieldsFragmentDoc = new TypedDocumentString(`
    fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}
    `, {"fragmentName":"VerificationFields"}) as unknown as TypedDocumentString<VerificationFieldsFragment, unknown>;
export const BackupFieldsFragmentDoc = new TypedDocumentString(`
    fragment BackupFields on Backup {
  id
  name
  createdAt
  trigger
  sizeBytes
  checksum
  formatVersion
  encrypted
  encryption {
    mode
    key
    recipients
  }
  signature {
    state
    fingerprint
    publicKey
  }
  pinned
  missing
  contents {
    tables
    rows
    files
    bytes
  }
  lastVerification {
    ...VerificationFields
  }
  source {
    id
    name
  }
}
    fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}`, {"fragmentName":"BackupFields"}) as unknown as TypedDocumentString<BackupFieldsFragment, unknown>;
export const ProgressFieldsFragmentDoc = new TypedDocumentString(`
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
    `, {"fragmentName":"ProgressFields"}) as unknown as TypedDocumentString<ProgressFieldsFragment, unknown>;
export const PhaseFieldsFragmentDoc = new TypedDocumentString(`
    fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}`, {"fragmentName":"PhaseFields"}) as unknown as TypedDocumentString<PhaseFieldsFragment, unknown>;
export const RecordStateFragmentDoc = new TypedDocumentString(`
    fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}`, {"fragmentName":"RecordState"}) as unknown as TypedDocumentString<RecordStateFragment, unknown>;
export const RecordFieldsFragmentDoc = new TypedDocumentString(`
    fragment RecordFields on Record {
  ...RecordState
  sizeBytes
  checksum
  source {
    id
    name
  }
  backup {
    id
    name
    sizeBytes
    checksum
  }
  parent {
    id
    kind
  }
  result {
    __typename
    ... on CreateResult {
      tables
      rows
      files
      bytes
    }
    ... on ImportResult {
      tables
      rows
      files
      bytes
    }
    ... on VerifyResult {
      level
      verdict
      restoreSeconds
      message
      entriesChecked
      rowsChecked
      bytesChecked
      problems {
        entry
        message
      }
    }
    ... on RestoreResult {
      dryRun
      rolledBack
      proven
      targetState
      rowsRestored
      filesRestored
      envFileRestored
      restoredTables {
        schema
        name
        rows
        digest
      }
      restoredTrees {
        area
        name
        files
      }
      decidedBy
      preRestoreBackup {
        id
        name
      }
    }
    ... on SelfTestResult {
      steps {
        name
        status
        startedAt
        finishedAt
        seconds
      }
    }
    ... on RotateResult {
      deleted
      kept
      freedBytes
      backups {
        name
        keep
        reason
        failure
        backup {
          id
        }
      }
    }
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`, {"fragmentName":"RecordFields"}) as unknown as TypedDocumentString<RecordFieldsFragment, unknown>;
export const EventFieldsFragmentDoc = new TypedDocumentString(`
    fragment EventFields on RecordEvent {
  __typename
  sequence
  occurredAt
  record {
    ...RecordState
  }
  ... on PhaseStarted {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseProgressed {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseFinished {
    phase {
      ...PhaseFields
    }
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`, {"fragmentName":"EventFields"}) as unknown as TypedDocumentString<EventFieldsFragment, unknown>;
export const PageFieldsFragmentDoc = new TypedDocumentString(`
    fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}
    `, {"fragmentName":"PageFields"}) as unknown as TypedDocumentString<PageFieldsFragment, unknown>;
export const ManifestFieldsFragmentDoc = new TypedDocumentString(`
    fragment ManifestFields on Manifest {
  createdAt
  createdBy
  toolVersion
  formatVersion
  sourceName
  hostName
  hostPlatform
  trigger
  envFile
  filesReadFrom
  filesReadTo
  warnings
  encryption {
    mode
    cipher
    key
    recipients
    kdf {
      name
      logN
    }
  }
  signature {
    algorithm
    fingerprint
    publicKey
    value
  }
  database {
    kind
    name
    serverVersion
    snapshotAt
    schemaFingerprint
    appliedMigrations
    tables {
      schema
      name
      rowCount
      bytes
      primaryKey
    }
  }
  trees {
    area
    name
    fileCount
    bytes
    include
    exclude
  }
  leftOut {
    name
    reason
  }
}
    `, {"fragmentName":"ManifestFields"}) as unknown as TypedDocumentString<ManifestFieldsFragment, unknown>;
export const SignerFieldsFragmentDoc = new TypedDocumentString(`
    fragment SignerFields on TrustedSigner {
  id
  name
  fingerprint
  publicKey
  createdAt
}
    `, {"fragmentName":"SignerFields"}) as unknown as TypedDocumentString<SignerFieldsFragment, unknown>;
export const BackupsDocument = new TypedDocumentString(`
    query Backups($filter: BackupFilter, $orderBy: BackupOrder, $first: Int, $after: String, $last: Int, $before: String) {
  backups(
    filter: $filter
    orderBy: $orderBy
    first: $first
    after: $after
    last: $last
    before: $before
  ) {
    totalCount
    pageInfo {
      ...PageFields
    }
    edges {
      cursor
      node {
        ...BackupFields
      }
    }
  }
}
    fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}
fragment BackupFields on Backup {
  id
  name
  createdAt
  trigger
  sizeBytes
  checksum
  formatVersion
  encrypted
  encryption {
    mode
    key
    recipients
  }
  signature {
    state
    fingerprint
    publicKey
  }
  pinned
  missing
  contents {
    tables
    rows
    files
    bytes
  }
  lastVerification {
    ...VerificationFields
  }
  source {
    id
    name
  }
}
fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<BackupsQuery, BackupsQueryVariables>;
export const BackupDocument = new TypedDocumentString(`
    query Backup($id: ID!) {
  backup(id: $id) {
    ...BackupFields
    manifest {
      ...ManifestFields
    }
  }
}
    fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}
fragment BackupFields on Backup {
  id
  name
  createdAt
  trigger
  sizeBytes
  checksum
  formatVersion
  encrypted
  encryption {
    mode
    key
    recipients
  }
  signature {
    state
    fingerprint
    publicKey
  }
  pinned
  missing
  contents {
    tables
    rows
    files
    bytes
  }
  lastVerification {
    ...VerificationFields
  }
  source {
    id
    name
  }
}
fragment ManifestFields on Manifest {
  createdAt
  createdBy
  toolVersion
  formatVersion
  sourceName
  hostName
  hostPlatform
  trigger
  envFile
  filesReadFrom
  filesReadTo
  warnings
  encryption {
    mode
    cipher
    key
    recipients
    kdf {
      name
      logN
    }
  }
  signature {
    algorithm
    fingerprint
    publicKey
    value
  }
  database {
    kind
    name
    serverVersion
    snapshotAt
    schemaFingerprint
    appliedMigrations
    tables {
      schema
      name
      rowCount
      bytes
      primaryKey
    }
  }
  trees {
    area
    name
    fileCount
    bytes
    include
    exclude
  }
  leftOut {
    name
    reason
  }
}`) as unknown as TypedDocumentString<BackupQuery, BackupQueryVariables>;
export const InspectBundleDocument = new TypedDocumentString(`
    query InspectBundle($input: BundleInput!) {
  inspectBundle(input: $input) {
    __typename
    ... on InspectedBundle {
      name
      sizeBytes
      checksum
      encryption {
        mode
      }
      signature {
        state
        fingerprint
        publicKey
      }
      manifest {
        ...ManifestFields
      }
      backup {
        id
        name
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment ManifestFields on Manifest {
  createdAt
  createdBy
  toolVersion
  formatVersion
  sourceName
  hostName
  hostPlatform
  trigger
  envFile
  filesReadFrom
  filesReadTo
  warnings
  encryption {
    mode
    cipher
    key
    recipients
    kdf {
      name
      logN
    }
  }
  signature {
    algorithm
    fingerprint
    publicKey
    value
  }
  database {
    kind
    name
    serverVersion
    snapshotAt
    schemaFingerprint
    appliedMigrations
    tables {
      schema
      name
      rowCount
      bytes
      primaryKey
    }
  }
  trees {
    area
    name
    fileCount
    bytes
    include
    exclude
  }
  leftOut {
    name
    reason
  }
}`) as unknown as TypedDocumentString<InspectBundleQuery, InspectBundleQueryVariables>;
export const BackupTableRowsDocument = new TypedDocumentString(`
    query BackupTableRows($id: ID!, $schema: String, $name: String!, $first: Int, $after: String, $unlock: UnlockInput) {
  backup(id: $id) {
    table(schema: $schema, name: $name) {
      schema
      name
      rowCount
      columns {
        name
        type
        nullable
      }
      rows(first: $first, after: $after, unlock: $unlock) {
        pageInfo {
          ...PageFields
        }
        edges {
          cursor
          node
          sizeBytes
        }
      }
    }
  }
}
    fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<BackupTableRowsQuery, BackupTableRowsQueryVariables>;
export const BackupEntriesDocument = new TypedDocumentString(`
    query BackupEntries($id: ID!, $filter: BackupEntryFilter, $first: Int, $after: String, $unlock: UnlockInput) {
  backup(id: $id) {
    entries(filter: $filter, first: $first, after: $after, unlock: $unlock) {
      totalCount
      pageInfo {
        ...PageFields
      }
      edges {
        cursor
        node {
          entry
          kind
          area
          tree
          path
          size
          sha256
          mode
          modifiedAt
          target
          schema
          table
          part
          rows
          downloadUrl
        }
      }
    }
  }
}
    fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<BackupEntriesQuery, BackupEntriesQueryVariables>;
export const BackupCertificatesDocument = new TypedDocumentString(`
    query BackupCertificates($id: ID!, $first: Int! = 20) {
  backup(id: $id) {
    name
    certificates(first: $first) {
      ...VerificationFields
      tables {
        schema
        name
        rows
        digest
      }
      record {
        id
      }
    }
  }
}
    fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}`) as unknown as TypedDocumentString<BackupCertificatesQuery, BackupCertificatesQueryVariables>;
export const BackupDownloadDocument = new TypedDocumentString(`
    query BackupDownload($id: ID!) {
  backup(id: $id) {
    name
    sizeBytes
    missing
    downloadUrl
  }
}
    `) as unknown as TypedDocumentString<BackupDownloadQuery, BackupDownloadQueryVariables>;
export const CreateBackupDocument = new TypedDocumentString(`
    mutation CreateBackup($input: CreateBackupInput!) {
  createBackup(input: $input) {
    __typename
    ... on CreateBackupPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<CreateBackupMutation, CreateBackupMutationVariables>;
export const VerifyBackupDocument = new TypedDocumentString(`
    mutation VerifyBackup($input: VerifyBackupInput!) {
  verifyBackup(input: $input) {
    __typename
    ... on VerifyBackupPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<VerifyBackupMutation, VerifyBackupMutationVariables>;
export const RunSelfTestDocument = new TypedDocumentString(`
    mutation RunSelfTest($input: RunSelfTestInput!) {
  runSelfTest(input: $input) {
    __typename
    ... on RunSelfTestPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<RunSelfTestMutation, RunSelfTestMutationVariables>;
export const RotateBackupsDocument = new TypedDocumentString(`
    mutation RotateBackups($input: RotateBackupsInput!) {
  rotateBackups(input: $input) {
    __typename
    ... on RotateBackupsPayload {
      verdicts {
        name
        keep
        reason
        backup {
          id
        }
      }
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<RotateBackupsMutation, RotateBackupsMutationVariables>;
export const DeleteBackupDocument = new TypedDocumentString(`
    mutation DeleteBackup($input: DeleteBackupInput!) {
  deleteBackup(input: $input) {
    __typename
    ... on DeleteBackupPayload {
      deletedBackupId
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<DeleteBackupMutation, DeleteBackupMutationVariables>;
export const PinBackupDocument = new TypedDocumentString(`
    mutation PinBackup($input: PinBackupInput!) {
  pinBackup(input: $input) {
    __typename
    ... on PinBackupPayload {
      backup {
        ...BackupFields
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment VerificationFields on Verification {
  at
  startedAt
  durationSeconds
  level
  verdict
  message
  restoreSeconds
  entries
  rows
  bytes
  files
}
fragment BackupFields on Backup {
  id
  name
  createdAt
  trigger
  sizeBytes
  checksum
  formatVersion
  encrypted
  encryption {
    mode
    key
    recipients
  }
  signature {
    state
    fingerprint
    publicKey
  }
  pinned
  missing
  contents {
    tables
    rows
    files
    bytes
  }
  lastVerification {
    ...VerificationFields
  }
  source {
    id
    name
  }
}`) as unknown as TypedDocumentString<PinBackupMutation, PinBackupMutationVariables>;
export const ImportBackupDocument = new TypedDocumentString(`
    mutation ImportBackup($input: ImportBackupInput!) {
  importBackup(input: $input) {
    __typename
    ... on ImportBackupPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<ImportBackupMutation, ImportBackupMutationVariables>;
export const UnknownBundlesDocument = new TypedDocumentString(`
    query UnknownBundles($first: Int, $after: String) {
  unknownBundles(first: $first, after: $after) {
    pageInfo {
      ...PageFields
    }
    edges {
      cursor
      node {
        storageKey
        name
        sizeBytes
        modifiedAt
        problem
        bundle {
          createdAt
          sourceName
          formatVersion
          encryption {
            mode
          }
          signature {
            state
            fingerprint
          }
        }
      }
    }
  }
}
    fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<UnknownBundlesQuery, UnknownBundlesQueryVariables>;
export const ReconcileStorageDocument = new TypedDocumentString(`
    mutation ReconcileStorage($input: ReconcileStorageInput!) {
  reconcileStorage(input: $input) {
    __typename
    ... on ReconcileStoragePayload {
      checked
      missing
      vanished
      returned
      undecided
      unknown
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<ReconcileStorageMutation, ReconcileStorageMutationVariables>;
export const EncryptionKeysDocument = new TypedDocumentString(`
    query EncryptionKeys {
  encryptionKeys {
    id
    createdAt
    retiredAt
  }
}
    `) as unknown as TypedDocumentString<EncryptionKeysQuery, EncryptionKeysQueryVariables>;
export const TrustedSignersDocument = new TypedDocumentString(`
    query TrustedSigners {
  trustedSigners {
    ...SignerFields
  }
}
    fragment SignerFields on TrustedSigner {
  id
  name
  fingerprint
  publicKey
  createdAt
}`) as unknown as TypedDocumentString<TrustedSignersQuery, TrustedSignersQueryVariables>;
export const RotateEncryptionKeyDocument = new TypedDocumentString(`
    mutation RotateEncryptionKey($input: RotateEncryptionKeyInput!) {
  rotateEncryptionKey(input: $input) {
    __typename
    ... on RotateEncryptionKeyPayload {
      key {
        id
        createdAt
        retiredAt
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<RotateEncryptionKeyMutation, RotateEncryptionKeyMutationVariables>;
export const TrustSignerDocument = new TypedDocumentString(`
    mutation TrustSigner($input: TrustSignerInput!) {
  trustSigner(input: $input) {
    __typename
    ... on TrustSignerPayload {
      signer {
        ...SignerFields
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment SignerFields on TrustedSigner {
  id
  name
  fingerprint
  publicKey
  createdAt
}`) as unknown as TypedDocumentString<TrustSignerMutation, TrustSignerMutationVariables>;
export const DistrustSignerDocument = new TypedDocumentString(`
    mutation DistrustSigner($input: DistrustSignerInput!) {
  distrustSigner(input: $input) {
    __typename
    ... on DistrustSignerPayload {
      deletedSignerId
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<DistrustSignerMutation, DistrustSignerMutationVariables>;
export const CreateRecoveryKitDocument = new TypedDocumentString(`
    mutation CreateRecoveryKit($input: CreateRecoveryKitInput!) {
  createRecoveryKit(input: $input) {
    __typename
    ... on CreateRecoveryKitPayload {
      downloadUrl
      expiresAt
      fileName
      sizeBytes
      sha256
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<CreateRecoveryKitMutation, CreateRecoveryKitMutationVariables>;
export const RecordsDocument = new TypedDocumentString(`
    query Records($filter: RecordFilter, $orderBy: RecordOrder, $first: Int, $after: String, $last: Int, $before: String) {
  records(
    filter: $filter
    orderBy: $orderBy
    first: $first
    after: $after
    last: $last
    before: $before
  ) {
    totalCount
    pageInfo {
      ...PageFields
    }
    edges {
      cursor
      node {
        ...RecordFields
      }
    }
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}
fragment RecordFields on Record {
  ...RecordState
  sizeBytes
  checksum
  source {
    id
    name
  }
  backup {
    id
    name
    sizeBytes
    checksum
  }
  parent {
    id
    kind
  }
  result {
    __typename
    ... on CreateResult {
      tables
      rows
      files
      bytes
    }
    ... on ImportResult {
      tables
      rows
      files
      bytes
    }
    ... on VerifyResult {
      level
      verdict
      restoreSeconds
      message
      entriesChecked
      rowsChecked
      bytesChecked
      problems {
        entry
        message
      }
    }
    ... on RestoreResult {
      dryRun
      rolledBack
      proven
      targetState
      rowsRestored
      filesRestored
      envFileRestored
      restoredTables {
        schema
        name
        rows
        digest
      }
      restoredTrees {
        area
        name
        files
      }
      decidedBy
      preRestoreBackup {
        id
        name
      }
    }
    ... on SelfTestResult {
      steps {
        name
        status
        startedAt
        finishedAt
        seconds
      }
    }
    ... on RotateResult {
      deleted
      kept
      freedBytes
      backups {
        name
        keep
        reason
        failure
        backup {
          id
        }
      }
    }
  }
}
fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<RecordsQuery, RecordsQueryVariables>;
export const RecordDocument = new TypedDocumentString(`
    query Record($id: ID!) {
  record(id: $id) {
    ...RecordFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}
fragment RecordFields on Record {
  ...RecordState
  sizeBytes
  checksum
  source {
    id
    name
  }
  backup {
    id
    name
    sizeBytes
    checksum
  }
  parent {
    id
    kind
  }
  result {
    __typename
    ... on CreateResult {
      tables
      rows
      files
      bytes
    }
    ... on ImportResult {
      tables
      rows
      files
      bytes
    }
    ... on VerifyResult {
      level
      verdict
      restoreSeconds
      message
      entriesChecked
      rowsChecked
      bytesChecked
      problems {
        entry
        message
      }
    }
    ... on RestoreResult {
      dryRun
      rolledBack
      proven
      targetState
      rowsRestored
      filesRestored
      envFileRestored
      restoredTables {
        schema
        name
        rows
        digest
      }
      restoredTrees {
        area
        name
        files
      }
      decidedBy
      preRestoreBackup {
        id
        name
      }
    }
    ... on SelfTestResult {
      steps {
        name
        status
        startedAt
        finishedAt
        seconds
      }
    }
    ... on RotateResult {
      deleted
      kept
      freedBytes
      backups {
        name
        keep
        reason
        failure
        backup {
          id
        }
      }
    }
  }
}`) as unknown as TypedDocumentString<RecordQuery, RecordQueryVariables>;
export const CancelRecordDocument = new TypedDocumentString(`
    mutation CancelRecord($input: CancelRecordInput!) {
  cancelRecord(input: $input) {
    __typename
    ... on CancelRecordPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<CancelRecordMutation, CancelRecordMutationVariables>;
export const RecordProgressDocument = new TypedDocumentString(`
    subscription RecordProgress($recordId: ID!, $afterSequence: Int) {
  recordProgress(recordId: $recordId, afterSequence: $afterSequence) {
    ...EventFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}
fragment EventFields on RecordEvent {
  __typename
  sequence
  occurredAt
  record {
    ...RecordState
  }
  ... on PhaseStarted {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseProgressed {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseFinished {
    phase {
      ...PhaseFields
    }
  }
}`) as unknown as TypedDocumentString<RecordProgressSubscription, RecordProgressSubscriptionVariables>;
export const WorkspaceEventsDocument = new TypedDocumentString(`
    subscription WorkspaceEvents {
  workspaceEvents {
    ...EventFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}
fragment EventFields on RecordEvent {
  __typename
  sequence
  occurredAt
  record {
    ...RecordState
  }
  ... on PhaseStarted {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseProgressed {
    phase {
      ...PhaseFields
    }
  }
  ... on PhaseFinished {
    phase {
      ...PhaseFields
    }
  }
}`) as unknown as TypedDocumentString<WorkspaceEventsSubscription, WorkspaceEventsSubscriptionVariables>;
export const RestorePlanDocument = new TypedDocumentString(`
    query RestorePlan($input: RestorePlanInput!) {
  restorePlan(input: $input) {
    __typename
    ... on RestorePlan {
      hash
      bundleName
      bundleChecksum
      signature {
        state
        fingerprint
        publicKey
      }
      target {
        id
        name
      }
      structure
      schemaDifferences {
        object
        change
      }
      tables {
        schema
        name
        rowsNow
        rowsInBundle
        drift
        losses
      }
      untouchedTables {
        schema
        name
      }
      trees {
        area
        name
        target
        added
        changed
        removed
        unchanged
        examples {
          change
          path
        }
      }
      envFile
      sessions {
        user
        application
        state
        since
      }
      warnings
      refusals
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<RestorePlanQuery, RestorePlanQueryVariables>;
export const DecideRestoreDocument = new TypedDocumentString(`
    mutation DecideRestore($input: DecideRestoreInput!) {
  decideRestore(input: $input) {
    __typename
    ... on DecideRestorePayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<DecideRestoreMutation, DecideRestoreMutationVariables>;
export const RestoreBackupDocument = new TypedDocumentString(`
    mutation RestoreBackup($input: RestoreBackupInput!) {
  restoreBackup(input: $input) {
    __typename
    ... on RestoreBackupPayload {
      record {
        ...RecordState
      }
    }
    ...RefusalFields
  }
}
    fragment ProgressFields on Progress {
  fraction
  bytes
  rows
  files
  bytesPerSecond
  etaSeconds
  currentItem
}
fragment PhaseFields on Phase {
  index
  name
  status
  startedAt
  finishedAt
  progress {
    ...ProgressFields
  }
}
fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment RecordState on Record {
  id
  kind
  status
  trigger
  requestedBy
  queuedAt
  startedAt
  finishedAt
  lastSequence
  warnings
  progress {
    ...ProgressFields
  }
  phases {
    ...PhaseFields
  }
  error {
    code
    phase
    message
    hint
  }
}`) as unknown as TypedDocumentString<RestoreBackupMutation, RestoreBackupMutationVariables>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    name
    role
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;
export const SettingsDocument = new TypedDocumentString(`
    query Settings {
  settings {
    serverVersion
    publicUrl
    formatVersion
    oldestFormatVersion
    uploadLimitBytes
    signer {
      fingerprint
      publicKey
    }
    roots
  }
}
    `) as unknown as TypedDocumentString<SettingsQuery, SettingsQueryVariables>;
export const LocksDocument = new TypedDocumentString(`
    query Locks {
  locks {
    acquiredAt
    expiresAt
    owner
    source {
      id
      name
    }
    record {
      id
      kind
      status
    }
  }
}
    `) as unknown as TypedDocumentString<LocksQuery, LocksQueryVariables>;
export const SourcesDocument = new TypedDocumentString(`
    query Sources($filter: SourceFilter, $orderBy: SourceOrder, $first: Int, $after: String, $last: Int, $before: String) {
  sources(
    filter: $filter
    orderBy: $orderBy
    first: $first
    after: $after
    last: $last
    before: $before
  ) {
    totalCount
    pageInfo {
      ...PageFields
    }
    edges {
      cursor
      node {
        ...SourceFields
      }
    }
  }
}
    fragment SourceFields on Source {
  id
  name
  createdAt
  updatedAt
  database {
    kind
    label
  }
  trees {
    name
    path
    include
    exclude
  }
  configTrees {
    name
    path
    include
    exclude
  }
  envFile {
    path
    restorePath
  }
  excludedTables {
    schema
    name
  }
  clearedColumns {
    table {
      schema
      name
    }
    columns
  }
  drill {
    label
    onOwnServer
  }
  lastProvenAt
  measuredRtoSeconds
}
fragment PageFields on PageInfo {
  startCursor
  endCursor
  hasNextPage
  hasPreviousPage
}`) as unknown as TypedDocumentString<SourcesQuery, SourcesQueryVariables>;
export const SourceDocument = new TypedDocumentString(`
    query Source($id: ID!) {
  source(id: $id) {
    ...SourceFields
  }
}
    fragment SourceFields on Source {
  id
  name
  createdAt
  updatedAt
  database {
    kind
    label
  }
  trees {
    name
    path
    include
    exclude
  }
  configTrees {
    name
    path
    include
    exclude
  }
  envFile {
    path
    restorePath
  }
  excludedTables {
    schema
    name
  }
  clearedColumns {
    table {
      schema
      name
    }
    columns
  }
  drill {
    label
    onOwnServer
  }
  lastProvenAt
  measuredRtoSeconds
}`) as unknown as TypedDocumentString<SourceQuery, SourceQueryVariables>;
export const CreateSourceDocument = new TypedDocumentString(`
    mutation CreateSource($input: CreateSourceInput!) {
  createSource(input: $input) {
    __typename
    ... on CreateSourcePayload {
      source {
        ...SourceFields
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment SourceFields on Source {
  id
  name
  createdAt
  updatedAt
  database {
    kind
    label
  }
  trees {
    name
    path
    include
    exclude
  }
  configTrees {
    name
    path
    include
    exclude
  }
  envFile {
    path
    restorePath
  }
  excludedTables {
    schema
    name
  }
  clearedColumns {
    table {
      schema
      name
    }
    columns
  }
  drill {
    label
    onOwnServer
  }
  lastProvenAt
  measuredRtoSeconds
}`) as unknown as TypedDocumentString<CreateSourceMutation, CreateSourceMutationVariables>;
export const UpdateSourceDocument = new TypedDocumentString(`
    mutation UpdateSource($input: UpdateSourceInput!) {
  updateSource(input: $input) {
    __typename
    ... on UpdateSourcePayload {
      source {
        ...SourceFields
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}
fragment SourceFields on Source {
  id
  name
  createdAt
  updatedAt
  database {
    kind
    label
  }
  trees {
    name
    path
    include
    exclude
  }
  configTrees {
    name
    path
    include
    exclude
  }
  envFile {
    path
    restorePath
  }
  excludedTables {
    schema
    name
  }
  clearedColumns {
    table {
      schema
      name
    }
    columns
  }
  drill {
    label
    onOwnServer
  }
  lastProvenAt
  measuredRtoSeconds
}`) as unknown as TypedDocumentString<UpdateSourceMutation, UpdateSourceMutationVariables>;
export const DeleteSourceDocument = new TypedDocumentString(`
    mutation DeleteSource($input: DeleteSourceInput!) {
  deleteSource(input: $input) {
    __typename
    ... on DeleteSourcePayload {
      deletedSourceId
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<DeleteSourceMutation, DeleteSourceMutationVariables>;
export const TestSourceDocument = new TypedDocumentString(`
    mutation TestSource($input: TestSourceInput!) {
  testSource(input: $input) {
    __typename
    ... on TestSourcePayload {
      report {
        database {
          kind
          name
          serverVersion
          tables {
            schema
            name
            rowEstimate
            columns {
              name
              type
              nullable
              generated
              hasDefault
            }
            foreignKeys {
              name
              columns
              referencedColumns
              references {
                schema
                name
              }
            }
          }
          cyclicForeignKeys {
            table {
              schema
              name
            }
            foreignKey
          }
        }
        trees {
          area
          name
          files
          bytes
          skipped {
            path
            reason
          }
        }
        leftOut {
          name
          reason
        }
        warnings
      }
    }
    ...RefusalFields
  }
}
    fragment RefusalFields on UserError {
  __typename
  code
  message
  hint
  ... on InvalidInputError {
    field
  }
}`) as unknown as TypedDocumentString<TestSourceMutation, TestSourceMutationVariables>;