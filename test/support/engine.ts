/** A whole engine on real parts in a scratch directory, without a server. */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import { sealRecoveryKit } from '../../src/bundle/recovery-kit-file.ts';
import { seededSigner } from '../../src/bundle/seal/signer.ts';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import { ensureOwner } from '../../src/catalog/identity.ts';
import { type OpenCatalog, openCatalog } from '../../src/catalog/open-catalog.ts';
import { createSecrets } from '../../src/catalog/secrets.ts';
import type { Actor, Engine, RestoreBackupRequest, Selection } from '../../src/engine/engine.ts';
import { startEngine } from '../../src/engine/new-engine.ts';
import type { EngineParts } from '../../src/engine/parts.ts';
import { isFinished } from '../../src/events/persisted-events.ts';
import { RecordEventHub } from '../../src/events/record-event-hub.ts';
import { processIdentity } from '../../src/process-identity.ts';
import { openMariadb } from '../../src/source/database/mariadb/mariadb.ts';
import { openPostgres } from '../../src/source/database/postgres/postgres.ts';
import { openSqlite } from '../../src/source/database/sqlite/sqlite.ts';
import { openFileTrees } from '../../src/source/files/file-trees.ts';
import { openFilesystemStorage } from '../../src/storage/filesystem.ts';
import { openLocalFile } from '../../src/storage/local-file.ts';

/** Everything, with nothing left out but the env file. */
export const EVERYTHING: Selection = {
  database: true,
  tables: null,
  trees: null,
  configTrees: null,
  envFile: false,
};

/** A restore of everything with the defaults of the API. */
export function restoreOf(
  backupId: string,
  change: Partial<RestoreBackupRequest> = {},
): RestoreBackupRequest {
  return {
    bundle: { backupId },
    sourceId: null,
    selection: EVERYTHING,
    planHash: null,
    dryRun: false,
    preRestoreBackup: 'REQUIRED',
    allowForeignSource: false,
    endSessions: false,
    lockTimeoutMs: 5000,
    overwriteEnvFile: false,
    ...change,
  };
}

/** An engine under test. */
export class TestEngine {
  readonly directory: string;
  readonly parts: EngineParts;
  readonly opened: OpenCatalog;
  readonly hub: RecordEventHub;
  readonly actor: Actor;
  readonly engine: Engine;
  readonly #stop: () => Promise<void>;

  private constructor(
    directory: string,
    parts: EngineParts,
    opened: OpenCatalog,
    hub: RecordEventHub,
    actor: Actor,
    started: { engine: Engine; stop: () => Promise<void> },
  ) {
    this.directory = directory;
    this.parts = parts;
    this.opened = opened;
    this.hub = hub;
    this.actor = actor;
    this.engine = started.engine;
    this.#stop = started.stop;
  }

  /** Files that sources may use live under here. */
  get root(): string {
    return join(this.directory, 'root');
  }

  /** @param change replaces parts, to put a fault between them */
  static async start(
    change: (parts: EngineParts) => Partial<EngineParts> = () => ({}),
    directory?: string,
  ): Promise<TestEngine> {
    const home = directory ?? (await mkdtemp(join(tmpdir(), 'holdfast-engine-')));
    const directories = {
      temporary: join(home, 'data/temporary'),
      uploads: join(home, 'data/uploads'),
      journal: join(home, 'data/journal'),
      kits: join(home, 'data/kits'),
    };
    for (const path of [...Object.values(directories), join(home, 'bundles'), join(home, 'root')]) {
      await mkdir(path, { recursive: true });
    }
    const opened = await openCatalog({
      file: join(home, 'data/catalog.sqlite'),
      secrets: createSecrets(Buffer.alloc(32, 7)),
    });
    await ensureOwner(opened.prisma);
    const workspace = await opened.prisma.workspace.findFirstOrThrow();
    const hub = new RecordEventHub((error) => {
      throw error;
    });
    const base: EngineParts = {
      catalog: opened.catalog,
      storage: openFilesystemStorage(join(home, 'bundles')),
      bundles: bundleFormat,
      signer: seededSigner(Buffer.alloc(32, 7)),
      events: hub,
      openScratchTrees: (directory) => openFileTrees({ roots: [directory] }),
      trees: openFileTrees({
        roots: [join(home, 'root')],
        forbidden: [join(home, 'data'), join(home, 'bundles')],
      }),
      openDatabase: async (settings) =>
        settings.kind === 'SQLITE'
          ? openSqlite(settings.path)
          : settings.kind === 'MARIADB'
            ? openMariadb(settings.url)
            : openPostgres(settings.url),
      openLocalFile: (path) => openLocalFile(path, 'the upload'),
      recoveryKits: {
        version: '0.0.0-test',
        environment: { HOLDFAST_ROOTS: join(home, 'root') },
        readScript: () => readFile(join(import.meta.dirname, '../../tools/open-bundle.mjs')),
        seal: sealRecoveryKit,
      },
      directories,
      identity: processIdentity(),
      uploadLimitBytes: 64 * 1024 * 1024,
      log: { info: () => undefined, warn: () => undefined, error: (details) => console.error(details) },
      now: () => new Date(),
    };
    const parts = { ...base, ...change(base) };
    const actor = { workspaceId: workspace.id, name: 'owner', role: 'OWNER' } as const;
    return new TestEngine(home, parts, opened, hub, actor, await startEngine(parts));
  }

  /** The record once it is finished. */
  async finished(record: RecordRow | string): Promise<RecordRow> {
    const id = typeof record === 'string' ? record : record.id;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.hub.listen(this.actor.workspaceId, id, (event) => {
      if (isFinished(event.record)) resolve();
    });
    try {
      const now = await this.record(id);
      if (!isFinished(now)) await promise;
      return await this.record(id);
    } finally {
      stop();
    }
  }

  async record(id: string): Promise<RecordRow> {
    const row = await this.parts.catalog.records.find(this.actor.workspaceId, id);
    if (row === undefined) throw new Error(`no record ${id}`);
    return row;
  }

  /** Creates a backup of everything and waits for it. */
  async backUp(
    sourceId: string,
    selection: Selection = EVERYTHING,
  ): Promise<RecordRow & { backupId: string }> {
    const record = await this.finished(await this.engine.createBackup(this.actor, { sourceId, selection }));
    if (record.backupId === null) throw new Error(`backup failed: ${JSON.stringify(record.error)}`);
    return { ...record, backupId: record.backupId };
  }

  async restore(request: RestoreBackupRequest): Promise<RecordRow> {
    return await this.finished(await this.engine.restoreBackup(this.actor, request));
  }

  /** Waits for the record that was queued last. */
  async lastRecord(): Promise<RecordRow> {
    const { id } = await this.opened.prisma.record.findFirstOrThrow({
      where: { parentId: null },
      orderBy: { queuedAt: 'desc' },
    });
    return await this.finished(id);
  }

  /** Everything that should not be there while nothing runs: temporary files, journals, locks, leases, half bundles. */
  async leftovers(): Promise<string[]> {
    const { directories } = this.parts;
    const files = [
      ...(await readdir(directories.temporary)),
      ...(await readdir(directories.journal)),
      ...(await readdir(directories.uploads)),
      ...(await readdir(this.root, { recursive: true })).filter((name) => name.includes('holdfast')),
    ];
    const known = new Set((await this.opened.prisma.backup.findMany()).map((backup) => backup.storageKey));
    const stored = await readdir(join(this.directory, 'bundles'), { recursive: true });
    const strays = stored.filter((name) => name.includes('/') && !known.has(name));
    const locks = (await this.opened.prisma.lock.findMany()).map((lock) => `lock of ${lock.recordId}`);
    const unfinished = (await this.parts.catalog.records.unfinished()).map(
      (row) => `${row.status} ${row.id}`,
    );
    return [...files, ...strays, ...locks, ...unfinished];
  }

  /** Stops the engine; the directory stays, for another one. */
  async stop(): Promise<void> {
    await this.#stop();
    await this.opened.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A name no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(4).toString('hex')}`;
}
