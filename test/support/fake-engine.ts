/**
 * An Engine for tests of its faces: it writes rows to a real catalog and remembers what it was asked, but does no
 * work. Tests replace single verbs by assigning to them.
 */
import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Catalog, RecordKind, RecordRow } from '../../src/catalog/catalog.ts';
import type { Actor, Engine } from '../../src/engine/engine.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HoldfastError('NOT_FOUND', `There is no ${what} with this id.`);
  return value;
}

/** Random access to bytes in memory, which tells whether it was closed. */
export class MemoryFile implements RandomAccess {
  readonly #bytes: Buffer;
  closed = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  read(start: number, end: number): Readable {
    return Readable.from([this.#bytes.subarray(start, end)]);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export type FakeEngine = Engine & {
  /** Names of the verbs that were called, with their arguments, in order. */
  readonly calls: { readonly verb: string; readonly args: readonly unknown[] }[];
  /** What `openBackup` reads. */
  bundle: RandomAccess;
  /** The bytes of the last upload that arrived whole. */
  uploaded: Buffer | undefined;
  /** Uploads that broke off. */
  brokenUploads: number;
};

export function fakeEngine(catalog: Catalog): FakeEngine {
  const calls: FakeEngine['calls'] = [];

  function start(
    actor: Actor,
    kind: RecordKind,
    refers: Partial<Pick<RecordRow, 'sourceId' | 'backupId'>>,
  ): Promise<RecordRow> {
    const { workspaceId, name } = actor;
    return catalog.records.create({
      workspaceId,
      kind,
      trigger: 'MANUAL',
      requestedBy: name,
      request: {},
      ...refers,
    });
  }

  const engine: FakeEngine = {
    calls,
    bundle: new MemoryFile(Buffer.alloc(0)),
    uploaded: undefined,
    brokenUploads: 0,

    createSource: (actor, definition) => catalog.sources.create(actor.workspaceId, definition),
    async updateSource(actor, id, change) {
      const source = found(await catalog.sources.find(actor.workspaceId, id), 'source');
      const drill = { url: null, onOwnServer: false, ...source.drill, ...change.drill };
      return catalog.sources.update(actor.workspaceId, id, { ...source, ...change, drill });
    },
    async deleteSource(actor, id) {
      found((await catalog.sources.delete(actor.workspaceId, id)) || undefined, 'source');
    },
    async testSource(actor, id) {
      found(await catalog.sources.find(actor.workspaceId, id), 'source');
      return {
        database: {
          kind: 'SQLITE',
          serverVersion: '3.50.0',
          name: 'app.db',
          tables: [
            {
              schema: null,
              name: 'customers',
              columns: [{ name: 'id', type: 'INTEGER', nullable: false, hasDefault: true, generated: false }],
              foreignKeys: [],
              rowEstimate: 3,
            },
          ],
          cyclicForeignKeys: [],
        },
        trees: [{ area: 'files', name: 'uploads', files: 2, bytes: 20, skipped: [] }],
        drill: { possible: true, reason: null },
        leftOut: [{ name: 'v_customers', reason: 'a view holds no rows' }],
        warnings: [],
      };
    },
    async createBackup(actor, { sourceId }) {
      found(await catalog.sources.find(actor.workspaceId, sourceId), 'source');
      return start(actor, 'CREATE', { sourceId });
    },
    async restorePlan(actor, { bundle, sourceId }) {
      const backup =
        'backupId' in bundle
          ? found(await catalog.backups.find(actor.workspaceId, bundle.backupId), 'backup')
          : undefined;
      const target = sourceId ?? backup?.sourceId ?? '';
      return {
        hash: 'plan-hash',
        bundleName: backup?.name ?? 'upload.zip',
        bundleChecksum: backup?.checksum ?? '',
        signer: { state: 'OWN', ...engine.signer },
        target: found(await catalog.sources.find(actor.workspaceId, target), 'source'),
        structure: 'KEEP',
        schemaDifferences: [{ object: 'INDEX customers_name', change: 'ADDED' }],
        tables: [
          {
            schema: null,
            name: 'customers',
            rowsNow: 2,
            rowsInBundle: 9_007_199_254_740_991,
            drift: [],
            losses: [],
          },
        ],
        untouchedTables: [{ schema: null, name: 'later' }],
        trees: [],
        envFile: null,
        sessions: null,
        warnings: ['one table stays'],
        refusals: [],
      };
    },
    async restoreBackup(actor, { bundle, sourceId }) {
      if (!('backupId' in bundle)) return start(actor, 'RESTORE', { sourceId });
      const backup = found(await catalog.backups.find(actor.workspaceId, bundle.backupId), 'backup');
      return start(actor, 'RESTORE', { sourceId: sourceId ?? backup.sourceId, backupId: backup.id });
    },
    async verifyBackup(actor, { backupId }) {
      const backup = found(await catalog.backups.find(actor.workspaceId, backupId), 'backup');
      return start(actor, 'VERIFY', { backupId: backup.id, sourceId: backup.sourceId });
    },
    async inspectBundle(actor, origin) {
      const backup = found(
        'backupId' in origin ? await catalog.backups.find(actor.workspaceId, origin.backupId) : undefined,
        'bundle',
      );
      const { name, checksum, manifest } = backup;
      return {
        name,
        checksum,
        sizeBytes: Number(backup.sizeBytes),
        manifest,
        signer: { state: 'OWN', ...engine.signer },
      };
    },
    runSelfTest: (actor) => start(actor, 'SELF_TEST', {}),
    async rotateBackups(actor, { sourceId, dryRun }) {
      const backups = await catalog.backups.summaries(actor.workspaceId, sourceId);
      return {
        verdicts: backups.map((backup, index) => ({
          backup,
          keep: index === 0,
          reason: index === 0 ? 'the newest' : 'no rule keeps it',
        })),
        record: dryRun ? null : await start(actor, 'ROTATE', { sourceId }),
      };
    },
    async deleteBackup(actor, backupId) {
      const backup = found(await catalog.backups.find(actor.workspaceId, backupId), 'backup');
      await catalog.backups.delete(backup.id);
    },
    async pinBackup(actor, backupId, pinned) {
      return found(await catalog.backups.setPinned(actor.workspaceId, backupId, pinned), 'backup');
    },
    async importBackup(actor, uploadId, sourceId) {
      found(await catalog.uploads.find(actor.workspaceId, uploadId), 'upload');
      return start(actor, 'IMPORT', { sourceId });
    },
    async importStored(actor, storageKey, sourceId) {
      found(storageKey.startsWith(`${actor.workspaceId}/`) || undefined, 'file');
      return start(actor, 'IMPORT', { sourceId });
    },
    async unknownBundles({ workspaceId }, { after, count }) {
      const files = ['a.zip', 'b.zip', 'c.zip'].map((name) => ({
        storageKey: `${workspaceId}/${name}`,
        name,
        sizeBytes: 3,
        modifiedAt: new Date('2026-01-02T03:04:05.000Z'),
        bundle: null,
        problem: 'no bundle',
      }));
      const rest = files.filter(({ storageKey }) => after === null || storageKey > after);
      return { bundles: rest.slice(0, count), more: rest.length > count };
    },
    async reconcileStorage() {
      return { checked: 5, missing: 2, vanished: 1, returned: 0, undecided: 0, unknown: 3 };
    },
    async cancelRecord(actor, recordId) {
      const canceled = await catalog.records.requestCancel(actor.workspaceId, recordId);
      return found(canceled, 'record').record;
    },
    async decideRestore(actor, recordId) {
      return found(await catalog.records.find(actor.workspaceId, recordId), 'record');
    },
    async receiveUpload(actor, fileName, content) {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of content) chunks.push(chunk);
      } catch (error) {
        engine.brokenUploads += 1;
        throw error;
      }
      const bytes = Buffer.concat(chunks);
      engine.uploaded = bytes;
      return catalog.uploads.create({
        id: randomUUID(),
        workspaceId: actor.workspaceId,
        fileName,
        sizeBytes: BigInt(bytes.length),
        checksum: createHash('sha256').update(bytes).digest('hex'),
        expiresAt: new Date(Date.now() + 3_600_000),
      });
    },
    signer: { fingerprint: '0a'.repeat(32), publicKey: Buffer.alloc(32, 10).toString('base64') },
    async rotateEncryptionKey({ workspaceId }) {
      const { id, createdAt, retiredAt } = await catalog.encryptionKeys.rotate(workspaceId, new Date());
      return { id, createdAt, retiredAt };
    },
    trustSigner: ({ workspaceId }, signer) =>
      catalog.trustedSigners.add(workspaceId, { ...signer, fingerprint: '0b'.repeat(32) }),
    async distrustSigner({ workspaceId }, id) {
      found((await catalog.trustedSigners.remove(workspaceId, id)) || undefined, 'signer');
    },
    async createRecoveryKit() {
      const expiresAt = new Date(Date.now() + 900_000);
      return { id: 'kit', fileName: 'recovery-kit.age', sizeBytes: 3, sha256: '0c'.repeat(32), expiresAt };
    },
    async openRecoveryKit() {
      return engine.bundle;
    },
    async readRows(actor, backupId, _table, { from, count }) {
      found(await catalog.backups.find(actor.workspaceId, backupId), 'backup');
      return Array.from({ length: Math.min(count, 12 - from) }, (_, n) => ({
        index: from + n,
        row: from + n === 11 ? null : { id: from + n },
        sizeBytes: from + n === 11 ? 2_000_000 : 10,
      }));
    },
    async listEntries(actor, backupId) {
      found(await catalog.backups.find(actor.workspaceId, backupId), 'backup');
      return { entries: [], totalCount: 0, hasNext: false, hasPrevious: false };
    },
    async openEntry(workspaceId, backupId) {
      found(await catalog.backups.find(workspaceId, backupId), 'backup');
      throw new HoldfastError('NOT_FOUND', 'The backup holds no such file.');
    },
    async openBackup(workspaceId, backupId) {
      const backup = found(await catalog.backups.find(workspaceId, backupId), 'backup');
      return { backup, file: engine.bundle };
    },
  };

  return new Proxy(engine, {
    get(target, verb, receiver) {
      const value: unknown = Reflect.get(target, verb, receiver);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        calls.push({ verb: String(verb), args });
        return Reflect.apply(value, target, args);
      };
    },
  });
}
