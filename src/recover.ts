/**
 * Makes a fresh instance from a recovery kit and the storage. Everything is built in a folder of its own inside of the
 * data directory; the catalog gets its name in one step at the end, so a process that dies before leaves a data
 * directory without a catalog, and the command is simply given again.
 */
import { existsSync } from 'node:fs';
import { link, mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { catalogFileOf } from './app.ts';
import { bundleFormat } from './bundle/bundle-format.ts';
import { openRecoveryKit } from './bundle/recovery-kit-file.ts';
import { seededSigner } from './bundle/seal/signer.ts';
import type { BackupRow, WorkspaceState } from './catalog/catalog.ts';
import { deriveKey, loadInstanceKey } from './catalog/instance-key.ts';
import { openCatalog } from './catalog/open-catalog.ts';
import { rebuildWorkspace } from './catalog/prisma-workspaces.ts';
import { createSecrets } from './catalog/secrets.ts';
import type { Config } from './config.ts';
import { type CatalogueWatcher, catalogueStorage } from './engine/catalogue-storage.ts';
import { KIT_FILES, type RecoveryKitContents, readKit } from './engine/recovery-kit.ts';
import { syncDirectory } from './engine/sync-directory.ts';
import { fingerprintOf } from './engine/trust.ts';
import { HoldfastError, systemErrorCode } from './errors.ts';
import { processIdentity } from './process-identity.ts';
import { openFilesystemStorage } from './storage/filesystem.ts';
import { openLocalFile } from './storage/local-file.ts';

/** What to recover from. */
export interface RecoverRequest extends Omit<CatalogueWatcher, 'onCatalogued'> {
  /** Path of the kit, as it was downloaded. */
  readonly kit: string;
  /** Asked for when everything that needs no passphrase was found in order. */
  passphrase(): Promise<string>;
}

/** What was brought back. */
export interface Recovered {
  readonly workspace: string;
  readonly kitCreatedAt: Date;
  readonly encryptionKeys: number;
  readonly sources: number;
  readonly jobs: number;
  readonly backups: number;
  /** Backups that the kit is too old for: sealed with a key that it does not hold. */
  readonly withoutKey: number;
  /** Backups of sources that the kit does not hold. */
  readonly withoutSource: number;
  /** A new API key of the owner, in clear; it is not kept. */
  readonly apiKey: string;
}

const BUILDING = '.recovering.';

/**
 * Recovers into the data directory of the configuration, from its storage.
 * @throws HoldfastError INVALID_INPUT when there is a catalog already or the kit is none, NOT_FOUND (kit, storage),
 *   DECRYPTION_FAILED, INVALID_CHECKSUM, FORMAT_TOO_NEW, STORAGE_UNAVAILABLE, CANCELED; nothing stays then
 */
export async function recoverFromKit(
  config: Config,
  request: RecoverRequest,
  signal: AbortSignal,
): Promise<Recovered> {
  await sweepDead(config.dataDirectory);
  refuseUsed(config);
  await requireStorage(config.storageDirectory);
  const contents = await readKitFile(request, signal);
  await requireWorkspaceFolder(config.storageDirectory, contents.state.workspace.id);
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const building = join(config.dataDirectory, `${BUILDING}${encodeURIComponent(processIdentity().owner)}`);
  await mkdir(building, { mode: 0o700 });
  try {
    return await build(config, contents, building, request, signal);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function build(
  config: Config,
  { origin, state }: RecoveryKitContents,
  building: string,
  watcher: RecoverRequest,
  signal: AbortSignal,
): Promise<Recovered> {
  const catalogFile = catalogFileOf(config);
  // One that is there already, from a process that died between the two links at the end, is as good as a new one.
  const keyFile = join(config.dataDirectory, 'instance.key');
  const builtKey = join(building, 'instance.key');
  const instanceKey = await loadInstanceKey({
    file: existsSync(keyFile) ? keyFile : builtKey,
    fromEnvironment: config.instanceKey,
    catalogFile,
  });
  const secrets = createSecrets(instanceKey);
  const builtFile = join(building, 'catalog.sqlite');
  const { catalog, prisma, close } = await openCatalog({ file: builtFile, secrets });
  let result: Recovered;
  try {
    const whole = trustingOldSigner(state, origin, instanceKey);
    const { apiKey } = await rebuildWorkspace(prisma, secrets, whole, new Date());
    const storage = openFilesystemStorage(config.storageDirectory);
    const parts = { catalog, storage, bundles: bundleFormat, now: () => new Date() };
    const found = { backups: 0, withoutKey: 0, withoutSource: 0 };
    const held = new Set(state.encryptionKeys.map(({ id }) => id));
    const onCatalogued = ({ sourceId, manifest: { encryption } }: BackupRow): void => {
      found.backups++;
      if (sourceId === null) found.withoutSource++;
      if (encryption.mode === 'KEY' && !held.has(encryption.keyId)) found.withoutKey++;
    };
    const { onProgress, onSkipped } = watcher;
    await catalogueStorage(parts, state.workspace.id, { onProgress, onSkipped, onCatalogued }, signal);
    result = {
      workspace: state.workspace.name,
      kitCreatedAt: origin.createdAt,
      encryptionKeys: state.encryptionKeys.length,
      sources: state.sources.length,
      jobs: state.jobs.length,
      ...found,
      apiKey,
    };
  } finally {
    await close();
  }
  // Closed in order, it has no journal beside it any more.
  if (existsSync(`${builtFile}-wal`)) throw new Error('The catalog that was built was not closed in order.');
  if (existsSync(builtKey)) await putInPlace(builtKey, keyFile, config);
  await putInPlace(builtFile, catalogFile, config);
  return result;
}

/** What the old instance signed is to be restored; with the same instance key it is our own signature. */
function trustingOldSigner(
  state: WorkspaceState,
  { signer, createdAt }: RecoveryKitContents['origin'],
  instanceKey: Buffer,
): WorkspaceState {
  const own = fingerprintOf(seededSigner(deriveKey(instanceKey, 'manifest signature')).publicKey);
  const day = createdAt.toISOString().slice(0, 10);
  const old = { ...signer, name: `this instance, as of its recovery kit of ${day}`, createdAt: new Date() };
  const others = state.trustedSigners.filter(
    ({ fingerprint }) => ![own, signer.fingerprint].includes(fingerprint),
  );
  return { ...state, trustedSigners: signer.fingerprint === own ? others : [...others, old] };
}

/** Complete and durable under its name, never over what appeared there meanwhile. */
async function putInPlace(built: string, place: string, config: Config): Promise<void> {
  const file = await open(built, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(built, place);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') throw used(config);
    throw error;
  }
  await syncDirectory(config.dataDirectory);
}

function refuseUsed(config: Config): void {
  const catalogFile = catalogFileOf(config);
  // The journal of a catalog that was deleted would be taken for one of the new catalog.
  if (['', '-wal', '-shm', '-journal'].some((suffix) => existsSync(`${catalogFile}${suffix}`)))
    throw used(config);
}

function used(config: Config): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `There is a catalog in ${config.dataDirectory} already.`, {
    hint: 'Recover into a new data directory: --data. To give this one up, move it away first. If a recovery made it and was cut off before it showed the API key: it is whole, and holdfast new-key makes a key.',
  });
}

/** Asked about before it is opened, which would make it. */
async function requireStorage(directory: string): Promise<void> {
  if ((await stat(directory).catch(() => undefined))?.isDirectory() === true) return;
  throw new HoldfastError('NOT_FOUND', `There is no storage directory ${directory}.`, {
    hint: 'Give the directory that HOLDFAST_STORAGE named, or a copy of it: --storage.',
  });
}

async function requireWorkspaceFolder(directory: string, workspaceId: string): Promise<void> {
  if ((await stat(join(directory, workspaceId)).catch(() => undefined))?.isDirectory() === true) return;
  throw new HoldfastError('NOT_FOUND', `The storage ${directory} has no folder ${workspaceId}.`, {
    hint: 'The bundles of the workspace of this kit lie in that folder. Give the directory that it is in: --storage. If no backup was ever made, make the folder.',
  });
}

async function readKitFile(request: RecoverRequest, signal: AbortSignal): Promise<RecoveryKitContents> {
  const path = await realpath(request.kit).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw new HoldfastError('NOT_FOUND', `There is no file ${request.kit}.`, {
      hint: 'Give the recovery kit as it was downloaded: --kit.',
    });
  });
  const file = await openLocalFile(path, 'the recovery kit');
  try {
    const files = await openRecoveryKit(file, await request.passphrase(), signal);
    return readKit(files.get(KIT_FILES.contents));
  } finally {
    await file.close();
  }
}

/** Removes what recoveries left whose process is gone. */
async function sweepDead(dataDirectory: string): Promise<void> {
  const { isDead } = processIdentity();
  const names = await readdir(dataDirectory).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    if (!name.startsWith(BUILDING)) continue;
    if (isDead(decodeURIComponent(name.slice(BUILDING.length)))) {
      await rm(join(dataDirectory, name), { recursive: true, force: true });
    }
  }
}
