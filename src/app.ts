/** The only place that sees everything: configuration becomes parts, parts become a server. */
import { randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { bundleFormat } from './bundle/bundle-format.ts';
import { sealRecoveryKit } from './bundle/recovery-kit-file.ts';
import { seededSigner } from './bundle/seal/signer.ts';
import type { DatabaseSettings } from './catalog/catalog.ts';
import { authenticateApiKey, createOwnerKey, ensureOwner } from './catalog/identity.ts';
import { deriveKey, loadInstanceKey } from './catalog/instance-key.ts';
import { type OpenCatalog, openCatalog } from './catalog/open-catalog.ts';
import { createSecrets } from './catalog/secrets.ts';
import type { Config } from './config.ts';
import { startEngine } from './engine/new-engine.ts';
import type { EngineDirectories, EngineParts, RecoveryKitParts } from './engine/parts.ts';
import { HoldfastError } from './errors.ts';
import { RecordEventHub } from './events/record-event-hub.ts';
import { processIdentity } from './process-identity.ts';
import { createServer } from './server/http.ts';
import { openFileTrees } from './source/files/file-trees.ts';
import type { Database } from './source/source.ts';
import { openFilesystemStorage } from './storage/filesystem.ts';
import { openLocalFile } from './storage/local-file.ts';

/** A running Holdfast. */
export interface App {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** The owner's API key, when this start made it. */
  readonly firstApiKey: string | undefined;
  stop(): Promise<void>;
}

/**
 * Starts everything, in order; what was started is stopped again when a later step fails.
 * @throws HoldfastError with what to do, for every fault of configuration or data directory
 */
export async function startApp(config: Config): Promise<App> {
  const directories = await makeDirectories(config);
  const catalogFile = catalogFileOf(config);
  const instanceKey = await loadInstanceKey({
    file: join(config.dataDirectory, 'instance.key'),
    fromEnvironment: config.instanceKey,
    catalogFile,
  });
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const stopOne of stops.splice(0).reverse()) await stopOne();
  };
  try {
    const opened = await openCatalog({ file: catalogFile, secrets: createSecrets(instanceKey) });
    stops.push(() => opened.close());
    return await startParts(config, directories, opened, instanceKey, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Makes a further API key for the owner of a data directory, also while a server works on it. Resolves to the key.
 * @throws HoldfastError NOT_FOUND when no server has been started on the data directory yet
 */
export async function newOwnerKey(config: Config): Promise<string> {
  const file = catalogFileOf(config);
  if (!existsSync(file)) {
    throw new HoldfastError('NOT_FOUND', `There is no catalog in ${config.dataDirectory}.`, {
      hint: 'Set HOLDFAST_DATA to the data directory of the server. The first start makes the first key.',
    });
  }
  // Keys of callers are hashed, not sealed: the instance key, which may be known to the server alone, is not needed.
  const { prisma, close } = await openCatalog({ file, secrets: createSecrets(randomBytes(32)) });
  try {
    return await createOwnerKey(prisma);
  } finally {
    await close();
  }
}

/** Where the catalog of a data directory lies. */
export function catalogFileOf(config: Config): string {
  return join(config.dataDirectory, 'catalog.sqlite');
}

async function startParts(
  config: Config,
  directories: EngineDirectories,
  { catalog, prisma }: OpenCatalog,
  instanceKey: Buffer,
  stops: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<App> {
  const log = createLog(config);
  const events = new RecordEventHub((error) => log.error({ err: error }, 'a listener of events failed'));
  const parts: EngineParts = {
    catalog,
    storage: openFilesystemStorage(config.storageDirectory),
    bundles: bundleFormat,
    signer: seededSigner(deriveKey(instanceKey, 'manifest signature')),
    events,
    openScratchTrees: (directory) => openFileTrees({ roots: [directory] }),
    trees: openFileTrees({
      roots: config.roots,
      forbidden: [config.dataDirectory, config.storageDirectory],
    }),
    openDatabase,
    openLocalFile: (path) => openLocalFile(path, 'the upload'),
    recoveryKits: recoveryKitParts(config),
    directories,
    identity: processIdentity(),
    uploadLimitBytes: config.uploadLimitBytes,
    log,
    now: () => new Date(),
  };
  const { engine, stop: stopEngine } = await startEngine(parts, {
    reconcileEveryMs: config.reconcileMinutes * 60_000,
  });
  stops.push(stopEngine);
  const server = createServer({
    config: {
      version: config.version,
      publicUrl: config.publicUrl ?? null,
      development: config.development,
      uploadLimitBytes: config.uploadLimitBytes,
      roots: config.roots,
    },
    engine,
    prisma,
    catalog,
    identity: { authenticateApiKey: (key) => authenticateApiKey(prisma, key) },
    events,
    log,
    linkKey: deriveKey(instanceKey, 'signed links'),
    checks: {
      catalog: async () => void (await prisma.workspace.count()),
      storage: () => access(config.storageDirectory, constants.W_OK),
    },
  });
  const address = await server.listen(config.host, config.port);
  stops.push(() => server.close());
  // After everything that can fail: the key is shown once, so it must not be made by a start that ends before it is.
  const owner = await ensureOwner(prisma);
  return { url: config.publicUrl ?? address.url, firstApiKey: owner?.apiKey, stop };
}

function recoveryKitParts({ version, storageDirectory, roots }: Config): RecoveryKitParts {
  return {
    version,
    environment: { HOLDFAST_STORAGE: storageDirectory, HOLDFAST_ROOTS: roots.join(':') },
    // It stands one folder up from src/ and two from dist/src/.
    readScript: () =>
      readFile(
        new URL(`${import.meta.url.endsWith('.ts') ? '..' : '../..'}/tools/open-bundle.mjs`, import.meta.url),
      ),
    seal: sealRecoveryKit,
  };
}

/** Takes the code of a kind into memory when the first source of that kind is used. */
async function openDatabase(settings: DatabaseSettings): Promise<Database> {
  switch (settings.kind) {
    case 'SQLITE':
      return (await import('./source/database/sqlite/sqlite.ts')).openSqlite(settings.path);
    case 'POSTGRESQL':
      return (await import('./source/database/postgres/postgres.ts')).openPostgres(settings.url);
    case 'MARIADB':
      return (await import('./source/database/mariadb/mariadb.ts')).openMariadb(settings.url);
  }
}

async function makeDirectories(config: Config): Promise<EngineDirectories> {
  const directories = {
    temporary: join(config.dataDirectory, 'temporary'),
    uploads: join(config.dataDirectory, 'uploads'),
    journal: join(config.dataDirectory, 'journal'),
    kits: join(config.dataDirectory, 'kits'),
  };
  for (const directory of [config.dataDirectory, config.storageDirectory, ...Object.values(directories)]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  return directories;
}

/** Logs go to stderr as JSON lines, so that stdout stays for people. */
function createLog(config: Config): Logger {
  return pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
}
