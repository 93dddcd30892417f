/** What bundles hold, over HTTP, on a real engine: entries, rows of a table of many parts, and single files. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import type { Role } from '../../src/catalog/catalog.ts';
import { authenticateApiKey } from '../../src/catalog/identity.ts';
import type { Encryption } from '../../src/engine/engine.ts';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import { createServer } from '../../src/server/http.ts';
import { EVERYTHING, TestEngine } from '../support/engine.ts';

const PASSPHRASE = 'correct-horse-battery';
const ROWS = 500;
const large = randomBytes(1_000_000);

let holdfast: TestEngine;
let server: ReturnType<typeof createServer>;
let url: string;
const keys = new Map<Role, string>();
/** Ids of one backup of each mode. */
const backups = { NONE: '', KEY: '', PASSPHRASE: '' };
/** Bytes that were read of bundles in the storage. */
let bytesRead = 0;

beforeAll(async () => {
  holdfast = await TestEngine.start(({ storage }) => ({
    bundles: createBundleFormat({ partBytes: 2000 }),
    storage: {
      create: (key, signal) => storage.create(key, signal),
      stat: (key, signal) => storage.stat(key, signal),
      delete: (key, signal) => storage.delete(key, signal),
      hasFolder: (folder, signal) => storage.hasFolder(folder, signal),
      list: (folder, signal) => storage.list(folder, signal),
      sweep: (key, signal) => storage.sweep(key, signal),
      async open(key, signal) {
        const file = await storage.open(key, signal);
        return {
          sizeBytes: file.sizeBytes,
          read(start, end, reading) {
            bytesRead += end - start;
            return file.read(start, end, reading);
          },
          close: () => file.close(),
        };
      },
    },
  }));
  const { engine, actor, opened, root } = holdfast;
  for (const role of ['VIEWER', 'ADMIN'] as const) {
    const key = `hf_${randomBytes(32).toString('base64url')}`;
    const hash = createHash('sha256').update(key).digest('hex');
    const apiKeys = { create: { name: 'test', hash, prefix: key.slice(0, 9) } };
    await opened.prisma.member.create({
      data: { workspaceId: actor.workspaceId, name: role.toLowerCase(), role, apiKeys },
    });
    keys.set(role, key);
  }
  server = createServer({
    config: { version: '0', publicUrl: null, development: false, uploadLimitBytes: 1e6, roots: [] },
    engine,
    prisma: opened.prisma,
    catalog: opened.catalog,
    identity: { authenticateApiKey: (key) => authenticateApiKey(opened.prisma, key) },
    events: holdfast.hub,
    log: pino({ level: 'silent' }),
    linkKey: randomBytes(32),
    checks: {},
  });
  url = (await server.listen('127.0.0.1', 0)).url;
  await makeApplication(root);
  const source = await engine.createSource(actor, {
    name: 'app',
    database: { kind: 'SQLITE', path: join(root, 'app.db') },
    excludedTables: [],
    clearedColumns: [],
    trees: [{ name: 'uploads', path: join(root, 'uploads'), include: [], exclude: [] }],
    configTrees: [{ name: 'etc', path: join(root, 'etc'), include: [], exclude: [] }],
    envFile: null,
  });
  const encryptions: readonly Encryption[] = [
    { mode: 'NONE' },
    { mode: 'KEY' },
    { mode: 'PASSPHRASE', passphrase: PASSPHRASE },
  ];
  for (const encryption of encryptions) {
    const request = { sourceId: source.id, selection: EVERYTHING, encryption, compression: 'STORE' } as const;
    const { backupId } = await holdfast.finished(await engine.createBackup(actor, request));
    backups[encryption.mode === 'RECIPIENT' ? 'NONE' : encryption.mode] = backupId ?? '';
  }
});

afterAll(async () => {
  await server.close();
  await holdfast.remove();
});

async function makeApplication(root: string): Promise<void> {
  const database = new Sqlite(join(root, 'app.db'));
  database.exec('CREATE TABLE numbers (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO numbers VALUES (?, ?)');
  for (let id = 1; id <= ROWS; id += 1) insert.run(id, `row ${id} ${'x'.repeat(40)}`);
  database.close();
  await mkdir(join(root, 'uploads/sub'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/app.conf'), 'port=1');
  await writeFile(join(root, 'uploads/sub/large.bin'), large);
  await writeFile(join(root, 'uploads/empty'), '');
  await writeFile(join(root, 'uploads/évil "name"\r\nX-Evil: 1.html'), '<script>alert(1)</script>');
  await writeFile(Buffer.concat([Buffer.from(join(root, 'uploads/latin1-')), Buffer.from([0xe9])]), 'bytes');
  await symlink('empty', join(root, 'uploads/link'));
}

interface Entry {
  readonly path: string | null;
  readonly kind: string;
  readonly downloadUrl: string | null;
  readonly [field: string]: unknown;
}

interface Page {
  readonly totalCount: string;
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
  readonly edges: readonly { readonly cursor: string; readonly node: Entry }[];
}

async function ask(query: string, variables: object, role: Role = 'ADMIN') {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.get(role)}` },
    body: JSON.stringify({ query, variables }),
  });
  // GraphQL over HTTP answers with nothing else; its data is what the query asked for.
  return (await response.json()) as {
    data: never;
    errors?: { extensions: { code: string; field?: string } }[];
  };
}

const ENTRIES = `query ($id: ID!, $filter: BackupEntryFilter, $first: Int, $after: String, $unlock: UnlockInput) {
  backup(id: $id) {
    entries(filter: $filter, first: $first, after: $after, unlock: $unlock) {
      totalCount pageInfo { endCursor hasNextPage hasPreviousPage }
      edges { cursor node {
        entry kind area tree path size mode modifiedAt sha256 target table part rows downloadUrl } }
    }
  }
}`;

async function entries(mode: keyof typeof backups, variables: object = {}): Promise<Page> {
  const { data, errors } = await ask(ENTRIES, { id: encodeGlobalId('Backup', backups[mode]), ...variables });
  expect(errors).toBeUndefined();
  return (data as { backup: { entries: Page } }).backup.entries;
}

async function linkTo(mode: keyof typeof backups, search: string, unlock?: object): Promise<string> {
  const { edges } = await entries(mode, { filter: { search, kind: ['FILE'] }, unlock });
  const [edge] = edges;
  if (edges.length !== 1 || edge?.node.downloadUrl == null) throw new Error(`no one file of ${search}`);
  return edge.node.downloadUrl;
}

describe('the entries of a backup', () => {
  test.each(['NONE', 'KEY'] as const)(
    'of mode %s are listed page by page, each once and in order',
    async (mode) => {
      const seen: Entry[] = [];
      let after: string | null = null;
      let page: Page;
      do {
        page = await entries(mode, { first: 7, after });
        expect(page.edges.length).toBeLessThanOrEqual(7);
        seen.push(...page.edges.map(({ node }) => node));
        after = page.pageInfo.endCursor;
      } while (page.pageInfo.hasNextPage);
      expect(String(seen.length)).toBe(page.totalCount);
      const parts = seen.filter(({ kind }) => kind === 'TABLE_PART');
      expect(parts.length).toBeGreaterThan(10);
      expect(parts.reduce((sum, part) => sum + Number(part['rows']), 0)).toBe(ROWS);
      expect(seen.filter(({ area }) => area === 'FILES').map(({ path }) => path)).toEqual([
        'empty',
        'latin1-\udce9',
        'link',
        'sub',
        'sub/large.bin',
        'évil "name"\r\nX-Evil: 1.html',
      ]);
    },
  );

  test('tell what they are', async () => {
    const { edges } = await entries('KEY', { filter: { area: ['FILES'] } });
    const told = new Map(edges.map(({ node }) => [node.path, node]));
    expect(told.get('sub/large.bin')).toMatchObject({
      kind: 'FILE',
      tree: 'uploads',
      size: '1000000',
      mode: expect.any(Number),
      modifiedAt: expect.stringMatching(/Z$/),
      sha256: createHash('sha256').update(large).digest('hex'),
      downloadUrl: expect.stringContaining(`${url}/download/`),
    });
    expect(told.get('link')).toMatchObject({ kind: 'SYMLINK', target: 'empty', downloadUrl: null });
    expect(told.get('sub')).toMatchObject({ kind: 'DIRECTORY', size: null, downloadUrl: null });
  });

  test.each([
    ['a tree', { tree: 'etc' }, ['app.conf']],
    ['a directory', { pathPrefix: 'sub/' }, ['sub/large.bin']],
    ['a kind', { kind: ['SYMLINK'] }, ['link']],
    ['a part of the backup', { area: ['CONFIG'] }, ['app.conf']],
    ['a piece of the path', { search: 'large' }, ['sub/large.bin']],
    ['what is not there', { search: 'LARGE' }, []],
  ])('are filtered by %s, and counted', async (_what, filter, paths) => {
    const page = await entries('NONE', { filter });
    expect(page.edges.map(({ node }) => node.path)).toEqual(paths);
    expect(page.totalCount).toBe(String(paths.length));
  });

  test('of a bundle that a passphrase opens need it', async () => {
    const id = encodeGlobalId('Backup', backups.PASSPHRASE);
    expect((await ask(ENTRIES, { id })).errors?.[0]?.extensions.code).toBe('DECRYPTION_FAILED');
    const unlock = { passphrase: PASSPHRASE };
    expect((await entries('PASSPHRASE', { unlock })).totalCount).toBe((await entries('NONE')).totalCount);
  });

  test('are not for a viewer, since names are content', async () => {
    const { data, errors } = await ask(ENTRIES, { id: encodeGlobalId('Backup', backups.NONE) }, 'VIEWER');
    expect(data).toEqual({ backup: { entries: null } });
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  test.each([{ first: 0 }, { first: 101 }, { after: 'x' }, { after: cursor(['entry', 100_000]) }])(
    '%j is refused',
    async (wrong) => {
      const { errors } = await ask(ENTRIES, { id: encodeGlobalId('Backup', backups.NONE), ...wrong });
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
    },
  );
});

function cursor(position: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

describe('a single file', () => {
  test.each(['NONE', 'KEY'] as const)('of a bundle of mode %s arrives whole, as a download', async (mode) => {
    const response = await fetch(await linkTo(mode, 'large.bin'));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': '1000000',
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="large.bin"; filename*=UTF-8''large.bin`,
      'x-content-type-options': 'nosniff',
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true);
  });

  test('with a name that would be a header, or that is no text, gets a harmless one', async () => {
    const evil = await fetch(await linkTo('NONE', 'vil "name'));
    expect(evil.headers.get('x-evil')).toBeNull();
    expect(evil.headers.get('content-disposition')).toBe(
      `attachment; filename="_vil _name___X-Evil: 1.html"; filename*=UTF-8''%C3%A9vil%20%22name%22%0D%0AX-Evil%3A%201.html`,
    );
    expect(await evil.text()).toBe('<script>alert(1)</script>');
    const odd = await fetch(await linkTo('NONE', 'latin1'));
    expect(odd.headers.get('content-disposition')).toContain("UTF-8''latin1-%EF%BF%BD");
    expect(await odd.text()).toBe('bytes');
  });

  test('that is empty, or only asked about, has no body', async () => {
    expect(await (await fetch(await linkTo('KEY', 'empty'))).text()).toBe('');
    const head = await fetch(await linkTo('KEY', 'large.bin'), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '1000000']);
  });

  test('that is not what the bundle says breaks the answer off before its end', async () => {
    const { backupId } = await damaged();
    const link = await linkOf(backupId, 'large.bin');
    const response = await fetch(link);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    // Whatever the network has passed on: the last bytes are never given to it.
    const position = await positionOf(backupId, 'large.bin');
    const never = new AbortController().signal;
    const opened = await holdfast.engine.openEntry(holdfast.actor.workspaceId, backupId, position, never);
    let given = 0;
    const readAll = async (): Promise<void> => {
      for await (const piece of opened.content) given += piece.length;
    };
    await expect(readAll()).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    await opened.close();
    expect(given).toBeGreaterThan(0);
    expect(given).toBeLessThan(large.length);
  });

  test('of a bundle that a passphrase opens is sent for it and the key of an administrator, by POST', async () => {
    const unlock = { passphrase: PASSPHRASE };
    const link = await linkTo('PASSPHRASE', 'large.bin', unlock);
    const refused = await fetch(link);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      error: { code: 'DECRYPTION_FAILED', hint: expect.stringContaining('POST') },
    });
    const post = (role: Role | undefined, body: string): Promise<Response> =>
      fetch(link, {
        method: 'POST',
        headers: role === undefined ? {} : { authorization: `Bearer ${keys.get(role)}` },
        body,
      });
    expect((await post(undefined, JSON.stringify({ unlock }))).status).toBe(401);
    expect((await post('VIEWER', JSON.stringify({ unlock }))).status).toBe(403);
    const wrong = await post('ADMIN', JSON.stringify({ unlock: { passphrase: 'incorrect-horse' } }));
    expect(await wrong.json()).toMatchObject({ error: { code: 'DECRYPTION_FAILED' } });
    const garbled = await post('ADMIN', `{ "unlock": "${PASSPHRASE}" }`);
    expect(garbled.status).toBe(400);
    expect(await garbled.text()).not.toContain(PASSPHRASE);
    const sent = await post('ADMIN', JSON.stringify({ unlock }));
    expect(sent.status).toBe(200);
    expect(Buffer.from(await sent.arrayBuffer()).equals(large)).toBe(true);
  });

  test('is not what the link of a bundle opens, nor the other way round', async () => {
    const QUERY = 'query ($id: ID!) { backup(id: $id) { downloadUrl sizeBytes } }';
    const { data } = await ask(QUERY, { id: encodeGlobalId('Backup', backups.NONE) });
    const { downloadUrl, sizeBytes } = (data as { backup: { downloadUrl: string; sizeBytes: string } })
      .backup;
    expect((await fetch(downloadUrl)).headers.get('content-length')).toBe(sizeBytes);
    expect((await fetch(downloadUrl, { method: 'POST' })).status).toBe(405);
    const link = await linkTo('NONE', 'empty');
    expect((await fetch(`${link}x`)).status).toBe(403);
  });
});

/** A backup whose file was changed in the storage, but not what the bundle says of it. */
async function damaged(): Promise<{ backupId: string }> {
  const { prisma } = holdfast.opened;
  const { storageKey } = await prisma.backup.findUniqueOrThrow({ where: { id: backups.NONE } });
  const path = join(holdfast.directory, 'bundles', storageKey);
  const at = (await readFile(path)).indexOf(large.subarray(-100));
  const handle = await open(path, 'r+');
  try {
    // The last byte of the content: everything before it is as it was.
    await handle.write(Buffer.from([(large.at(-1) ?? 0) ^ 1]), 0, 1, at + 99);
  } finally {
    await handle.close();
  }
  return { backupId: backups.NONE };
}

async function positionOf(backupId: string, search: string): Promise<number> {
  const { engine, actor } = holdfast;
  const range = { after: null, count: 1 };
  const page = await engine.listEntries(actor, backupId, { search }, range, new AbortController().signal);
  return page.entries[0]?.position ?? -1;
}

async function linkOf(backupId: string, search: string): Promise<string> {
  const id = encodeGlobalId('Backup', backupId);
  const { data } = await ask(ENTRIES, { id, filter: { search } });
  return (data as { backup: { entries: Page } }).backup.entries.edges[0]?.node.downloadUrl ?? '';
}

describe('the rows of a table of many parts', () => {
  const QUERY = `query ($id: ID!, $first: Int, $after: String, $unlock: UnlockInput) {
    backup(id: $id) { table(name: "numbers") {
      rows(first: $first, after: $after, unlock: $unlock) { totalCount edges { node } pageInfo { endCursor hasNextPage } }
    } } }`;

  async function rows(
    mode: keyof typeof backups,
    variables: object,
  ): Promise<{
    edges: { node: { id: number } }[];
    pageInfo: { endCursor: string; hasNextPage: boolean };
  }> {
    const { data, errors } = await ask(QUERY, { id: encodeGlobalId('Backup', backups[mode]), ...variables });
    expect(errors).toBeUndefined();
    return (data as { backup: { table: { rows: never } } }).backup.table.rows;
  }

  test.each([
    ['KEY', undefined],
    ['PASSPHRASE', { passphrase: PASSPHRASE }],
  ] as const)('are read page by page from a bundle of mode %s', async (mode, unlock) => {
    const ids: number[] = [];
    let after: string | null = null;
    let more = true;
    while (more) {
      const page: Awaited<ReturnType<typeof rows>> = await rows(mode, { first: 90, after, unlock });
      ids.push(...page.edges.map(({ node }) => node.id));
      after = page.pageInfo.endCursor;
      more = page.pageInfo.hasNextPage;
    }
    expect(ids).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1));
  });

  test('of a page in its middle are read without the rest of the table and of the bundle', async () => {
    // Sealed bundles are read in chunks that are larger than this table.
    bytesRead = 0;
    await rows('NONE', { first: 3 });
    const ofTheFirst = bytesRead;
    bytesRead = 0;
    const { edges } = await rows('NONE', { first: 3, after: cursor([null, 'numbers', 450]) });
    expect(edges.map(({ node }) => node.id)).toEqual([452, 453, 454]);
    expect(Math.abs(bytesRead - ofTheFirst), 'a part more or less').toBeLessThan(5000);
    expect(bytesRead, 'the file alone has a million bytes').toBeLessThan(300_000);
  });
});

test('a bundle is inspected and the instance tests itself over the API', async () => {
  const input = { backupId: encodeGlobalId('Backup', backups.PASSPHRASE) };
  const INSPECT = `query ($input: BundleInput!) { inspectBundle(input: $input) { __typename
    ... on InspectedBundle { signature { state } encryption { mode } manifest { sourceName } backup { id } } } }`;
  expect((await ask(INSPECT, { input }, 'VIEWER')).data).toEqual({
    inspectBundle: {
      __typename: 'InspectedBundle',
      signature: { state: 'OWN' },
      encryption: { mode: 'PASSPHRASE' },
      manifest: { sourceName: 'app' },
      backup: { id: input.backupId },
    },
  });
  const RUN =
    'mutation { runSelfTest(input: {}) { __typename ... on RunSelfTestPayload { record { id } } } }';
  expect((await ask(RUN, {}, 'VIEWER')).data).toMatchObject({
    runSelfTest: { __typename: 'ForbiddenError' },
  });
  const { data } = await ask(RUN, {});
  const { id } = (data as { runSelfTest: { record: { id: string } } }).runSelfTest.record;
  await holdfast.lastRecord();
  const RECORD = `query ($id: ID!) { record(id: $id) { kind status
    result { ... on SelfTestResult { steps { name status seconds } } } } backups { totalCount } }`;
  expect((await ask(RECORD, { id }, 'VIEWER')).data).toMatchObject({
    record: { kind: 'SELF_TEST', status: 'SUCCEEDED', result: { steps: { length: 6 } } },
    backups: { totalCount: 3 },
  });
});
