/** What the verbs are made of; app.ts puts it together once. */
import type { BundleFormat } from '../bundle/bundle.ts';
import type { ManifestSigner } from '../bundle/sealing.ts';
import type { Catalog, DatabaseSettings } from '../catalog/catalog.ts';
import type { RecordEventPublisher } from '../events/record-event.ts';
import type { FileTrees } from '../source/file-trees.ts';
import type { Database } from '../source/source.ts';
import type { RandomAccess, Storage } from '../storage/storage.ts';

/** Where the engine keeps what is neither catalog nor bundle. All inside the data directory. */
export interface EngineDirectories {
  /** Spool files of running records, one folder a record. */
  readonly temporary: string;
  /** Uploaded bundles that are not in storage yet. */
  readonly uploads: string;
  /** Journals of restores that are about to commit. */
  readonly journal: string;
  /** Recovery kits that wait for their download, sealed. */
  readonly kits: string;
}

/** What recovery kits are made of and with. */
export interface RecoveryKitParts {
  /** Version of the program. */
  readonly version: string;
  /** Settings of the server that whoever recovers needs to know, by their names; no secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** The script that opens bundles of mode KEY by hand. */
  readScript(): Promise<Buffer>;
  /** Makes an age file of a zip of files. */
  seal(
    files: readonly { readonly name: string; readonly content: Buffer }[],
    passphrase: string,
    at: Date,
  ): Promise<Buffer>;
}

/** Structured log; pino fits. Never give it a secret. */
export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Tells who works on a record, and whether they still live. */
export interface ProcessIdentity {
  /** `<host>@<pid namespace>/<pid>/<start>`, unique to this process. */
  readonly owner: string;
  /** True when `owner` was a process of this host that certainly runs no more. */
  isDead(owner: string): boolean;
}

/** Everything a verb may use. */
export interface EngineParts {
  readonly catalog: Catalog;
  readonly storage: Storage;
  readonly bundles: BundleFormat;
  /** Signs every manifest of this instance. */
  readonly signer: ManifestSigner;
  readonly events: RecordEventPublisher;
  readonly trees: FileTrees;
  /** File trees that see one directory alone, for drills: there what a bundle holds is written and looked at. */
  openScratchTrees(directory: string): FileTrees;
  /** Connects to nothing yet. @throws HoldfastError INVALID_INPUT for an address that cannot be one */
  openDatabase(settings: DatabaseSettings): Promise<Database>;
  /** Opens a file of this host for random access, by path. */
  openLocalFile(path: string): Promise<RandomAccess>;
  readonly recoveryKits: RecoveryKitParts;
  readonly directories: EngineDirectories;
  readonly identity: ProcessIdentity;
  /** Largest upload, bytes. */
  readonly uploadLimitBytes: number;
  readonly log: Log;
  now(): Date;
}
