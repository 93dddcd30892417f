/** A catalog of its own for a test, on disk, with two workspaces. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../src/bundle/manifest.ts';
import type { NewBackup, NewRecord, SourceDefinition } from '../../src/catalog/catalog.ts';
import { type OpenCatalog, openCatalog } from '../../src/catalog/open-catalog.ts';
import { createSecrets } from '../../src/catalog/secrets.ts';

export interface TestCatalog extends OpenCatalog {
  readonly directory: string;
  readonly file: string;
  readonly instanceKey: Buffer;
  /** Two workspaces. */
  readonly ours: string;
  readonly theirs: string;
  /** Opens the same file once more, as another server would. */
  reopen(): Promise<OpenCatalog>;
  remove(): Promise<void>;
}

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
}

export async function testCatalog(): Promise<TestCatalog> {
  const directory = await temporaryDirectory();
  const file = join(directory, 'data', 'catalog.db');
  const instanceKey = randomBytes(32);
  const open = () => openCatalog({ file, secrets: createSecrets(instanceKey) });
  const opened = await open();
  const ours = await opened.prisma.workspace.create({ data: { name: 'ours' } });
  const theirs = await opened.prisma.workspace.create({ data: { name: 'theirs' } });
  const reopened: OpenCatalog[] = [];
  return {
    ...opened,
    directory,
    file,
    instanceKey,
    ours: ours.id,
    theirs: theirs.id,
    async reopen() {
      const again = await open();
      reopened.push(again);
      return again;
    },
    async remove() {
      for (const catalog of [opened, ...reopened]) await catalog.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function aSource(name = 'app', change: Partial<SourceDefinition> = {}): SourceDefinition {
  return {
    name,
    database: { kind: 'POSTGRESQL', url: 'postgresql://app:s3cret-word@db.example:5433/shop' },
    excludedTables: [{ schema: 'public', name: 'cache' }],
    clearedColumns: [{ table: { schema: 'public', name: 'agents' }, columns: ['runtime_id'] }],
    trees: [{ name: 'uploads', path: '/srv/uploads', include: [], exclude: ['*.tmp'] }],
    configTrees: [],
    envFile: { path: '/srv/.env', restorePath: null },
    ...change,
  };
}

export function aRecord(workspaceId: string, change: Partial<NewRecord> = {}): NewRecord {
  return {
    workspaceId,
    kind: 'CREATE',
    trigger: 'MANUAL',
    requestedBy: 'owner',
    request: { selection: null },
    ...change,
  };
}

export function aManifest(): Manifest {
  return {
    formatVersion: 1,
    tool: { name: 'holdfast', version: '0.1.0' },
    createdAt: '2026-01-02T03:04:05.000Z',
    createdBy: 'owner',
    trigger: 'MANUAL',
    host: { name: 'host', platform: 'linux' },
    source: { id: 'source', name: 'app' },
    database: null,
    // The rest of a manifest says nothing about how it is kept.
  } as unknown as Manifest;
}

let backups = 0;

export function aBackup(workspaceId: string, change: Partial<NewBackup> = {}): NewBackup {
  backups += 1;
  const name = `app_20260102_030405_${backups}.zip`;
  return {
    workspaceId,
    sourceId: null,
    jobId: null,
    name,
    storageKey: `${workspaceId}/${name}`,
    sizeBytes: 9_007_199_254_740_993n,
    checksum: 'ab'.repeat(32),
    formatVersion: 1,
    trigger: 'MANUAL',
    manifest: aManifest(),
    createdAt: new Date(Date.UTC(2026, 0, 2) + backups),
    ...change,
  };
}
