/** A real server on a free port, over a real catalog with two workspaces and a fake engine. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { NewBackup, RecordRow, Role } from '../../../src/catalog/catalog.ts';
import { authenticateApiKey } from '../../../src/catalog/identity.ts';
import { type OpenCatalog, openCatalog } from '../../../src/catalog/open-catalog.ts';
import { createSecrets } from '../../../src/catalog/secrets.ts';
import { RecordEventHub } from '../../../src/events/record-event-hub.ts';
import { encodeGlobalId } from '../../../src/schema/global-id.ts';
import { createServer } from '../../../src/server/http.ts';
import type { ServerConfig } from '../../../src/server/parts.ts';
import { type FakeEngine, fakeEngine } from '../../support/fake-engine.ts';

export type Answer = {
  // Tests assert on what they asked for; its type is theirs to know.
  data: Record<string, never> | null;
  errors?: { message: string; path?: string[]; extensions?: { code?: string; hint?: string } }[];
};

export interface TestServer {
  readonly url: string;
  readonly engine: FakeEngine;
  readonly opened: OpenCatalog;
  readonly hub: RecordEventHub;
  readonly workspaceId: string;
  readonly otherWorkspaceId: string;
  /** A key of our workspace with this role. */
  readonly keys: Readonly<Record<Role, string>>;
  /** A key of the other workspace's owner. */
  readonly otherKey: string;
  /** Lines of the log so far. */
  readonly log: Record<string, unknown>[];
  /** Queries that Prisma sent so far. */
  readonly queries: () => number;
  /** Names of checks that fail. */
  readonly failing: Set<string>;
  /** Asks as the owner, or with another key (null: none). */
  ask(query: string, variables?: object, key?: string | null): Promise<Answer>;
  close(): Promise<void>;
  stop(): Promise<void>;
}

async function addMember(opened: OpenCatalog, workspaceId: string, role: Role): Promise<string> {
  const key = `hf_${randomBytes(32).toString('base64url')}`;
  await opened.prisma.member.create({
    data: {
      workspaceId,
      name: role.toLowerCase(),
      role,
      apiKeys: {
        create: {
          name: 'test',
          hash: createHash('sha256').update(key).digest('hex'),
          prefix: key.slice(0, 9),
        },
      },
    },
  });
  return key;
}

export async function startTestServer(change: Partial<ServerConfig> = {}): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-server-'));
  const opened = await openCatalog({
    file: join(directory, 'catalog.db'),
    secrets: createSecrets(randomBytes(32)),
  });
  const workspace = await opened.prisma.workspace.create({ data: { name: 'ours' } });
  const other = await opened.prisma.workspace.create({ data: { name: 'theirs' } });
  const keys = {
    VIEWER: await addMember(opened, workspace.id, 'VIEWER'),
    OPERATOR: await addMember(opened, workspace.id, 'OPERATOR'),
    ADMIN: await addMember(opened, workspace.id, 'ADMIN'),
    OWNER: await addMember(opened, workspace.id, 'OWNER'),
  };
  const otherKey = await addMember(opened, other.id, 'OWNER');
  let queries = 0;
  const counted = opened.prisma.$extends({
    query: {
      $allOperations({ args, query }) {
        queries += 1;
        return query(args);
      },
    },
  });
  const log: Record<string, unknown>[] = [];
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) log.push(JSON.parse(line));
      done();
    },
  });
  const hub = new RecordEventHub((error) => {
    throw error;
  });
  const engine = fakeEngine(opened.catalog);
  const failing = new Set<string>();
  const check = (name: string) => async () => {
    if (failing.has(name)) throw new Error(`${name} cannot be used: /secret/path`);
  };
  const server = createServer({
    config: {
      version: '0.0.0-test',
      publicUrl: null,
      development: false,
      uploadLimitBytes: 1_000_000,
      roots: ['/srv'],
      ...change,
    },
    engine,
    // Counting changes no shape; Prisma's type for extended clients only hides that.
    prisma: counted as unknown as OpenCatalog['prisma'],
    catalog: opened.catalog,
    identity: { authenticateApiKey: (key) => authenticateApiKey(opened.prisma, key) },
    events: hub,
    log: pino({ level: 'debug' }, lines),
    linkKey: randomBytes(32),
    checks: { catalog: check('catalog'), storage: check('storage') },
  });
  const { url } = await server.listen('127.0.0.1', 0);
  return {
    url,
    engine,
    opened,
    hub,
    workspaceId: workspace.id,
    otherWorkspaceId: other.id,
    keys,
    otherKey,
    log,
    failing,
    queries: () => queries,
    async ask(query, variables, key = keys.OWNER) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key !== null && { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({ query, variables }),
      });
      // GraphQL over HTTP answers with nothing else.
      return (await response.json()) as Answer;
    },
    close: () => server.close(),
    async stop() {
      await server.close();
      await opened.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A manifest with one table, a sequence and a tree. */
export function aManifest(): Manifest {
  return {
    formatVersion: 1,
    tool: { name: 'holdfast', version: '0.1.0' },
    createdAt: '2026-01-02T03:04:05.000Z',
    createdBy: 'owner',
    trigger: 'MANUAL',
    host: { name: 'host', platform: 'linux' },
    source: { id: 'source', name: 'app' },
    database: {
      kind: 'POSTGRESQL',
      serverVersion: '18.0',
      name: 'app',
      snapshotAt: '2026-01-02T03:04:05.000Z',
      schemaFingerprint: 'cd'.repeat(32),
      appliedMigrations: ['001_first'],
      tables: [
        {
          schema: 'public',
          name: 'customers',
          columns: [{ name: 'id', type: 'bigint', nullable: false }],
          primaryKey: ['id'],
          foreignKeys: [],
          rowCount: 12,
          bytes: 345,
          parts: ['database/public/customers.json'],
        },
      ],
      sequences: [{ schema: 'public', name: 'ids', lastValue: '9223372036854775807', isCalled: true }],
      schema: {
        before: 'db/schema.sql',
        after: 'db/schema-after.sql',
        notCarried: [{ name: 'CAST (text AS money)', reason: 'not in this test' }],
      },
    },
    trees: [{ area: 'files', name: 'uploads', include: [], exclude: [], fileCount: 2, bytes: 55 }],
    envFile: false,
    filesReadAt: null,
    leftOut: [{ name: 'v_customers', reason: 'a view holds no rows' }],
    warnings: [],
    compression: 'DEFLATE_1',
    encryption: { mode: 'NONE' },
    entriesSha256: 'ef'.repeat(32),
    signature: null,
  };
}

let made = 0;

/** Adds a backup; later ones are newer. */
export async function addBackup(server: TestServer, change: Partial<NewBackup> = {}) {
  made += 1;
  const name = change.name ?? `app_20260102_030405_${String(made).padStart(4, '0')}.zip`;
  const backup = await server.opened.catalog.backups.create({
    workspaceId: server.workspaceId,
    sourceId: null,
    jobId: null,
    name,
    storageKey: `${change.workspaceId ?? server.workspaceId}/${name}`,
    sizeBytes: 9_007_199_254_740_993n,
    checksum: 'ab'.repeat(32),
    formatVersion: 1,
    trigger: 'MANUAL',
    manifest: aManifest(),
    createdAt: new Date(Date.UTC(2026, 0, 2) + made * 1000),
    ...change,
  });
  return { ...backup, globalId: encodeGlobalId('Backup', backup.id) };
}

/** Adds a source. */
export async function addSource(server: TestServer, name: string, workspaceId = server.workspaceId) {
  const source = await server.opened.catalog.sources.create(workspaceId, {
    name,
    database: { kind: 'POSTGRESQL', url: 'postgresql://app:s3cret-word@db.example:5433/shop' },
    excludedTables: [{ schema: 'public', name: 'cache' }],
    clearedColumns: [{ table: { schema: 'public', name: 'agents' }, columns: ['runtime_id'] }],
    trees: [{ name: 'uploads', path: '/srv/uploads', include: [], exclude: ['*.tmp'] }],
    configTrees: [],
    envFile: { path: '/srv/.env', restorePath: null },
  });
  return { ...source, globalId: encodeGlobalId('Source', source.id) };
}

/** Adds a queued record. */
export async function addRecord(
  server: TestServer,
  change: Partial<Pick<RecordRow, 'kind' | 'sourceId' | 'backupId' | 'workspaceId'>> = {},
) {
  const record = await server.opened.catalog.records.create({
    workspaceId: server.workspaceId,
    kind: 'CREATE',
    trigger: 'MANUAL',
    requestedBy: 'owner',
    request: {},
    ...change,
  });
  return { ...record, globalId: encodeGlobalId('Record', record.id) };
}
