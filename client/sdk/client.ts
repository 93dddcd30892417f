/** The client: one typed method for everything the server can be asked. */
import { type ClientOptions, execute, openConnection, type RequestOptions } from './connection.ts';
import type { EventTransport, RecordEvent } from './event-stream.ts';
import { type FollowOptions, type FollowRecordOptions, followRecord, followWorkspace } from './follow.ts';
import * as documents from './generated/graphql.ts';
import { sseTransport } from './sse-transport.ts';
import {
  type DownloadOptions,
  download,
  type UploadContent,
  type UploadOptions,
  upload,
} from './transfer.ts';
import { webSocketTransport } from './websocket-transport.ts';

type Input<TVariables extends { readonly input: unknown }> = TVariables['input'];
/** What a list can be asked for; `signal` included. */
export type ListOptions<TVariables> = TVariables & RequestOptions;

/** The last arguments of `request`: variables may be left out where the operation has none to give. */
export type RequestArguments<TVariables> =
  Record<string, never> extends TVariables
    ? [variables?: TVariables, options?: RequestOptions]
    : [variables: TVariables, options?: RequestOptions];

/**
 * A client of one server.
 *
 * Every method throws a HoldfastRequestError when the request as a whole does not work, and the signal's reason
 * when it is aborted. Methods that can be refused return the result union; give it to `unwrap` to get the payload
 * or a thrown refusal.
 */
export type HoldfastClient = ReturnType<typeof createClient>;

/**
 * Makes a client. It opens no connection before it is used and holds none open afterwards.
 *
 * @throws {TypeError} when `url` is no URL.
 */
export function createClient(options: ClientOptions) {
  const connection = openConnection(options);
  const transports: Readonly<Record<'websocket' | 'sse', EventTransport>> = {
    websocket: webSocketTransport(connection),
    sse: sseTransport(connection),
  };
  const run = <TResult, TVariables>(
    document: documents.TypedDocumentString<TResult, TVariables>,
    variables: TVariables,
    request?: RequestOptions,
  ): Promise<TResult> => execute(connection, document, variables, request);

  return {
    /** Executes an operation of your own, typed by the generated document. */
    request: <TResult, TVariables>(
      document: documents.TypedDocumentString<TResult, TVariables>,
      ...[variables, request]: RequestArguments<TVariables>
      // Only an operation whose variables may all be left out is called without them.
    ): Promise<TResult> => run(document, (variables ?? {}) as TVariables, request),

    /** Who the API key belongs to. */
    viewer: async (request?: RequestOptions) => (await run(documents.ViewerDocument, {}, request)).viewer,
    /** What the server is set up to do. */
    settings: async (request?: RequestOptions) =>
      (await run(documents.SettingsDocument, {}, request)).settings,
    /** The keys that seal bundles of mode KEY; never a key itself. */
    encryptionKeys: async (request?: RequestOptions) =>
      (await run(documents.EncryptionKeysDocument, {}, request)).encryptionKeys,
    /** Makes a new key for bundles of mode KEY; those of earlier keys stay readable. Needs OWNER. */
    rotateEncryptionKey: async (
      input: Input<documents.RotateEncryptionKeyMutationVariables> = {},
      request?: RequestOptions,
    ) => (await run(documents.RotateEncryptionKeyDocument, { input }, request)).rotateEncryptionKey,
    /** Makes one sealed file with everything a fresh instance needs but the bundles. Needs OWNER. */
    createRecoveryKit: async (
      input: Input<documents.CreateRecoveryKitMutationVariables>,
      request?: RequestOptions,
    ) => (await run(documents.CreateRecoveryKitDocument, { input }, request)).createRecoveryKit,
    /** Other instances whose bundles may be restored here. */
    trustedSigners: async (request?: RequestOptions) =>
      (await run(documents.TrustedSignersDocument, {}, request)).trustedSigners,
    /** Lets bundles that another instance signed be restored here. Needs OWNER. */
    trustSigner: async (input: Input<documents.TrustSignerMutationVariables>, request?: RequestOptions) =>
      (await run(documents.TrustSignerDocument, { input }, request)).trustSigner,
    /** Takes that back. Needs OWNER. */
    distrustSigner: async (
      input: Input<documents.DistrustSignerMutationVariables>,
      request?: RequestOptions,
    ) => (await run(documents.DistrustSignerDocument, { input }, request)).distrustSigner,

    /** Which sources are being worked on. */
    locks: async (request?: RequestOptions) => (await run(documents.LocksDocument, {}, request)).locks,

    /** A page of the sources. */
    sources: async ({ signal, ...variables }: ListOptions<documents.SourcesQueryVariables> = {}) =>
      (await run(documents.SourcesDocument, variables, { signal })).sources,
    /** One source; null when there is none of this id. */
    source: async (id: string, request?: RequestOptions) =>
      (await run(documents.SourceDocument, { id }, request)).source,
    /** Adds a source. */
    createSource: async (input: Input<documents.CreateSourceMutationVariables>, request?: RequestOptions) =>
      (await run(documents.CreateSourceDocument, { input }, request)).createSource,
    /** Changes a source. */
    updateSource: async (input: Input<documents.UpdateSourceMutationVariables>, request?: RequestOptions) =>
      (await run(documents.UpdateSourceDocument, { input }, request)).updateSource,
    /** Deletes a source; its backups stay. */
    deleteSource: async (input: Input<documents.DeleteSourceMutationVariables>, request?: RequestOptions) =>
      (await run(documents.DeleteSourceDocument, { input }, request)).deleteSource,
    /** Connects to a source and says what would be backed up. */
    testSource: async (input: Input<documents.TestSourceMutationVariables>, request?: RequestOptions) =>
      (await run(documents.TestSourceDocument, { input }, request)).testSource,

    /** A page of the backups. */
    backups: async ({ signal, ...variables }: ListOptions<documents.BackupsQueryVariables> = {}) =>
      (await run(documents.BackupsDocument, variables, { signal })).backups,
    /** One backup with its manifest; null when there is none of this id. */
    backup: async (id: string, request?: RequestOptions) =>
      (await run(documents.BackupDocument, { id }, request)).backup,
    /**
     * A page of the rows of a table, read from the bundle; null when the backup or the table is not there. Needs
     * ADMIN.
     */
    backupTableRows: async ({ signal, ...variables }: ListOptions<documents.BackupTableRowsQueryVariables>) =>
      (await run(documents.BackupTableRowsDocument, variables, { signal })).backup?.table ?? null,
    /** A page of what a backup holds, read from the bundle; null when there is no such backup. Needs ADMIN. */
    backupEntries: async ({ signal, ...variables }: ListOptions<documents.BackupEntriesQueryVariables>) =>
      (await run(documents.BackupEntriesDocument, variables, { signal })).backup?.entries ?? null,
    /** What verifications of a backup have found, newest first; null when there is no such backup. */
    backupCertificates: async ({
      signal,
      ...variables
    }: ListOptions<documents.BackupCertificatesQueryVariables>) =>
      (await run(documents.BackupCertificatesDocument, variables, { signal })).backup?.certificates ?? null,
    /** What a bundle says of itself, also an upload that is no backup; needs no key. */
    inspectBundle: async (input: Input<documents.InspectBundleQueryVariables>, request?: RequestOptions) =>
      (await run(documents.InspectBundleDocument, { input }, request)).inspectBundle,
    /** Sends a canary the whole way of a backup and back. Needs OPERATOR. */
    runSelfTest: async (
      input: Input<documents.RunSelfTestMutationVariables> = {},
      request?: RequestOptions,
    ) => (await run(documents.RunSelfTestDocument, { input }, request)).runSelfTest,
    /** Starts a backup and returns its record at once; follow it with `followRecord`. */
    createBackup: async (input: Input<documents.CreateBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.CreateBackupDocument, { input }, request)).createBackup,
    /** Starts to verify a backup, as deep as `level` says: CONTENT unless given, RESTORE for a drill. */
    verifyBackup: async (input: Input<documents.VerifyBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.VerifyBackupDocument, { input }, request)).verifyBackup,
    /** Deletes the backups that no rule keeps, and says why each goes or stays. */
    rotateBackups: async (input: Input<documents.RotateBackupsMutationVariables>, request?: RequestOptions) =>
      (await run(documents.RotateBackupsDocument, { input }, request)).rotateBackups,
    /** Deletes a backup and its bundle, for ever. */
    deleteBackup: async (input: Input<documents.DeleteBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.DeleteBackupDocument, { input }, request)).deleteBackup,
    /** Protects a backup from rotation and deletion, or lets it go again. */
    pinBackup: async (input: Input<documents.PinBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.PinBackupDocument, { input }, request)).pinBackup,
    /** Starts to verify a bundle that was uploaded, or lies in the storage, and take it in as a backup. */
    importBackup: async (input: Input<documents.ImportBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.ImportBackupDocument, { input }, request)).importBackup,
    /** A page of the files in the storage that are no backup yet. Needs ADMIN. */
    unknownBundles: async ({
      signal,
      ...variables
    }: ListOptions<documents.UnknownBundlesQueryVariables> = {}) =>
      (await run(documents.UnknownBundlesDocument, variables, { signal })).unknownBundles ?? null,
    /** Looks in the storage for the bundle of every backup now, and marks those that are gone or there again. */
    reconcileStorage: async (
      input: Input<documents.ReconcileStorageMutationVariables> = {},
      request?: RequestOptions,
    ) => (await run(documents.ReconcileStorageDocument, { input }, request)).reconcileStorage,

    /** What a restore would do; changes nothing. */
    restorePlan: async (input: Input<documents.RestorePlanQueryVariables>, request?: RequestOptions) =>
      (await run(documents.RestorePlanDocument, { input }, request)).restorePlan,
    /** Starts a restore. With the `planHash` of a plan it does exactly what that plan says, or refuses. */
    restoreBackup: async (input: Input<documents.RestoreBackupMutationVariables>, request?: RequestOptions) =>
      (await run(documents.RestoreBackupDocument, { input }, request)).restoreBackup,

    /** Says how a restore ended whose database will never tell. */
    decideRestore: async (input: Input<documents.DecideRestoreMutationVariables>, request?: RequestOptions) =>
      (await run(documents.DecideRestoreDocument, { input }, request)).decideRestore,

    /** A page of the records. */
    records: async ({ signal, ...variables }: ListOptions<documents.RecordsQueryVariables> = {}) =>
      (await run(documents.RecordsDocument, variables, { signal })).records,
    /** One record with its result; null when there is none of this id. */
    record: async (id: string, request?: RequestOptions) =>
      (await run(documents.RecordDocument, { id }, request)).record,
    /** Asks a record to stop and clean up. */
    cancelRecord: async (input: Input<documents.CancelRecordMutationVariables>, request?: RequestOptions) =>
      (await run(documents.CancelRecordDocument, { input }, request)).cancelRecord,

    /**
     * Sends a bundle to the server and returns the upload's id, for `importBackup`, `restorePlan` and
     * `restoreBackup`. A stream is sent as it comes, with constant memory; browsers can send streams over HTTP/2
     * only, a Blob or File always.
     */
    upload: (content: UploadContent, request: UploadOptions): Promise<string> =>
      upload(connection, content, request),
    /** Fetches a bundle, or a range of it, as a response whose `body` streams. */
    download: (backupId: string, request: DownloadOptions = {}): Promise<Response> =>
      download(connection, backupId, request),

    /**
     * The events of a record: a snapshot, then everything that happens, to the final RecordFinished. When the
     * connection breaks or the server starts anew it connects again and goes on where it was: no state event is
     * missing or told twice; progress in between may be.
     *
     * The iteration throws a HoldfastRequestError when going on is no use: UNAUTHENTICATED, NOT_FOUND, CONNECTION
     * when the server was never reached. Leaving the loop closes the connection and cancels nothing.
     */
    followRecord: (recordId: string, follow: FollowRecordOptions = {}): AsyncIterable<RecordEvent> =>
      followRecord(transports[follow.transport ?? 'websocket'], recordId, follow),
    /**
     * What is running, then everything that happens in the workspace, without end. It connects again by itself, but
     * what happened meanwhile is not told: each connection begins with what is running then.
     */
    followWorkspace: (follow: FollowOptions = {}): AsyncIterable<RecordEvent> =>
      followWorkspace(transports[follow.transport ?? 'websocket'], follow),
  };
}
