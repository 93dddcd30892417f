/** createBackup: one consistent snapshot of a source becomes one stored, catalogued bundle. */
import { newBundleName } from '../bundle/bundle-name.ts';
import { type Compression, FORMAT_VERSION, type Manifest } from '../bundle/manifest.ts';
import type { BackupRow, Json, RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor, CreateBackupRequest, Selection } from './engine.ts';
import { requireSource } from './find-source.ts';
import type { EngineParts } from './parts.ts';
import { readRequest, toRequest } from './record-request.ts';
import type { RecordRunner } from './record-runner.ts';
import { type KeptSecrets, keptSecrets, type RequestSecrets } from './request-secrets.ts';
import { type RunningRecord, UndecidedError } from './running-record.ts';
import { checkEncryption, type SealRequest, sealingOf, sealRequest } from './seal-request.ts';
import { contentBefore, contentOf, type PreRestoreContent, selectTrees } from './selection.ts';
import type { StoredBundle } from './store-bundle.ts';
import { writeBundle } from './write-bundle.ts';

/** What a CREATE record remembers, so that it can be finished after a crash. */
export type CreateRequest = KeptSecrets & {
  sourceId: string;
  selection: Selection;
  /** Chosen before the first byte is written; recovery looks there. */
  storageKey: string;
  compression: Compression;
  encryption: SealRequest;
  leaveOutUnreadable: boolean;
  /** Of a backup before a restore: what that replaces, in place of the selection. */
  preRestore?: PreRestoreContent | undefined;
};

/** Queues a backup. @throws HoldfastError NOT_FOUND, INVALID_INPUT */
export async function createBackup(
  parts: EngineParts,
  runner: RecordRunner,
  actor: Actor,
  request: CreateBackupRequest,
): Promise<RecordRow> {
  const source = await requireSource(parts, actor.workspaceId, request.sourceId);
  selectTrees(source, request.selection);
  if (request.selection.envFile && source.envFile === null) {
    throw new HoldfastError('INVALID_INPUT', `The source ${source.name} has no env file.`, {
      field: 'selection.envFile',
      hint: 'Set envFile on the source first.',
    });
  }
  const { encryption } = request;
  if (encryption !== undefined) checkEncryption(encryption);
  const secrets: RequestSecrets = encryption?.mode === 'PASSPHRASE' ? { sealing: encryption } : {};
  const record = await parts.catalog.records.create({
    workspaceId: actor.workspaceId,
    kind: 'CREATE',
    trigger: 'MANUAL',
    sourceId: source.id,
    requestedBy: actor.name,
    request: await createRequest(parts, actor.workspaceId, source, request, { secrets }),
  });
  runner.submit(record, undefined, secrets);
  return record;
}

/** The request of a CREATE record, with the name its bundle will have. */
export async function createRequest(
  parts: EngineParts,
  workspaceId: string,
  source: { readonly id: string; readonly name: string },
  {
    selection,
    compression = 'DEFLATE_1',
    leaveOutUnreadable = false,
    encryption,
  }: Omit<CreateBackupRequest, 'sourceId'>,
  { preRestore, secrets = {} }: { preRestore?: PreRestoreContent; secrets?: RequestSecrets } = {},
): Promise<Json> {
  return toRequest<CreateRequest>({
    ...keptSecrets(parts, secrets),
    sourceId: source.id,
    selection,
    compression,
    encryption: await sealRequest(parts, workspaceId, encryption),
    leaveOutUnreadable,
    preRestore,
    storageKey: `${workspaceId}/${newBundleName(source.name, parts.now())}`,
  });
}

/** Executes a CREATE record. */
export async function executeCreate(parts: EngineParts, record: RunningRecord): Promise<void> {
  const request = readRequest<CreateRequest>(record.row);
  const { sourceId, selection, storageKey, preRestore, compression } = request;
  const source = await requireSource(parts, record.row.workspaceId, sourceId);
  const content =
    preRestore === undefined
      ? contentOf(source, selection, request.leaveOutUnreadable)
      : contentBefore(preRestore);
  const sealing = await sealingOf(parts, record, request.encryption);
  const stored = await writeBundle(parts, record, { source, content, storageKey, compression, sealing });
  // The bundle is in storage: it is catalogued even when somebody cancels just now.
  try {
    const backup = await record.finalPhase(
      'CATALOG',
      async () => await catalogue(parts, record.row, storageKey, stored),
    );
    await finishCreate(record, backup);
  } catch (error) {
    throw new UndecidedError('the bundle is stored, but the catalog could not be told', { cause: error });
  }
}

/** Writes the catalog row of a stored bundle. */
export async function catalogue(
  parts: EngineParts,
  record: RecordRow,
  storageKey: string,
  { manifest, sizeBytes, checksum }: StoredBundle,
): Promise<BackupRow> {
  const now = parts.now();
  const made = new Date(manifest.createdAt);
  return await parts.catalog.backups.create({
    workspaceId: record.workspaceId,
    sourceId: record.sourceId,
    jobId: record.jobId,
    name: storageKey.slice(storageKey.lastIndexOf('/') + 1),
    storageKey,
    sizeBytes: BigInt(sizeBytes),
    checksum,
    formatVersion: FORMAT_VERSION,
    trigger: record.trigger,
    manifest,
    // A clock that ran ahead where a bundle was made must not make it the newest for years: rotation counts on it.
    createdAt: made > now ? now : made,
  });
}

/** What a bundle holds, as its manifest says. */
export function countsOf({ database, trees }: Manifest): { rows: number; files: number; bytes: number } {
  const tables = database?.tables ?? [];
  return {
    rows: tables.reduce((sum, table) => sum + table.rowCount, 0),
    files: trees.reduce((sum, tree) => sum + tree.fileCount, 0),
    bytes: [...tables, ...trees].reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Puts the outcome of a backup on its record. */
export async function finishCreate(record: RunningRecord, backup: BackupRow): Promise<void> {
  const { manifest } = backup;
  record.setResult({
    kind: 'CREATE',
    tables: manifest.database?.tables.length ?? 0,
    ...countsOf(manifest),
  });
  await record.amend({ backupId: backup.id, sizeBytes: backup.sizeBytes, checksum: backup.checksum });
}
