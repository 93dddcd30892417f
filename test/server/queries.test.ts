import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { NO_FINDINGS } from '../support/no-findings.ts';
import { addBackup, addRecord, addSource, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

type Page = {
  totalCount: number;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  edges: { cursor: string; node: { name: string } }[];
};

const PAGE = `query ($filter: BackupFilter, $orderBy: BackupOrder, $first: Int, $after: String, $last: Int, $before: String) {
  backups(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { name } }
  }
}`;

async function page(variables: object): Promise<Page> {
  const { data, errors } = await server.ask(PAGE, variables);
  expect(errors).toBeUndefined();
  // An answer has the shape of the query above it; the server's type knows only that it is JSON.
  return (data as unknown as { backups: Page }).backups;
}

const names = ({ edges }: Page) => edges.map(({ node }) => node.name);

describe('lists', () => {
  let sourceId: string;
  const filter = () => ({ sourceId });

  beforeAll(async () => {
    const source = await addSource(server, 'listed');
    sourceId = source.globalId;
    for (const [index, sizeBytes] of [5n, 9_007_199_254_740_993n, 5n, 1n, 7n].entries()) {
      await addBackup(server, { sourceId: source.id, name: `listed-${index}.zip`, sizeBytes });
    }
  });

  test('run newest first, page after page, to the end', async () => {
    const first = await page({ filter: filter(), first: 2 });
    expect(names(first)).toEqual(['listed-4.zip', 'listed-3.zip']);
    expect(first).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    const second = await page({ filter: filter(), first: 2, after: first.pageInfo.endCursor });
    expect(names(second)).toEqual(['listed-2.zip', 'listed-1.zip']);
    expect(second.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const third = await page({ filter: filter(), first: 2, after: second.pageInfo.endCursor });
    expect(names(third)).toEqual(['listed-0.zip']);
    expect(third.pageInfo.hasNextPage).toBe(false);
    const back = await page({ filter: filter(), last: 2, before: third.pageInfo.startCursor });
    expect(names(back)).toEqual(['listed-2.zip', 'listed-1.zip']);
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  test('of equal values lose none and repeat none', async () => {
    const orderBy = { field: 'SIZE', direction: 'ASC' };
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const now: Page = await page({ filter: filter(), orderBy, first: 1, after });
      seen.push(...names(now));
      after = now.pageInfo.hasNextPage ? now.pageInfo.endCursor : null;
    } while (after !== null);
    expect([seen.length, new Set(seen).size]).toEqual([5, 5]);
    expect(seen[0]).toBe('listed-3.zip');
    expect(seen.at(-1)).toBe('listed-1.zip');
  });

  test('go on after a row that has been deleted meanwhile', async () => {
    const first = await page({ filter: filter(), first: 2 });
    const gone = await server.opened.prisma.backup.findFirstOrThrow({ where: { name: 'listed-3.zip' } });
    await server.opened.catalog.backups.delete(gone.id);
    const second = await page({ filter: filter(), first: 2, after: first.pageInfo.endCursor });
    expect(names(second)).toEqual(['listed-2.zip', 'listed-1.zip']);
  });

  test('show no backup that is being deleted', async () => {
    const doomed = await addBackup(server, { name: 'doomed.zip' });
    await server.opened.catalog.backups.markDeleting(doomed.id, new Date());
    expect(names(await page({ filter: { search: 'doomed' } }))).toEqual([]);
  });

  test('are filtered', async () => {
    await addBackup(server, { name: 'needle.zip', trigger: 'SCHEDULE', createdAt: new Date('2020-01-01') });
    for (const wanted of [
      { search: 'needle' },
      { trigger: ['SCHEDULE'] },
      { createdBefore: '2020-06-01T00:00:00Z' },
    ]) {
      expect(names(await page({ filter: wanted })), JSON.stringify(wanted)).toEqual(['needle.zip']);
    }
    expect(names(await page({ filter: { pinned: true } }))).toEqual([]);
    expect(names(await page({ filter: { verdict: 'PASSED' } }))).toEqual([]);
    expect(names(await page({ filter: { missing: true } }))).toEqual([]);
    expect(names(await page({ filter: { sourceId: 'nonsense' } }))).toEqual([]);
  });

  test.each([
    ['after: this is no cursor of this list.', { after: 'nonsense' }],
    ['before: this is no cursor of this list.', { last: 1, before: 'eyJhIjoxfQ' }],
    ['first: must be 1 to 100, not -1.', { first: -1 }],
    ['first: must be 1 to 100, not 0.', { first: 0 }],
    ['last: must be 1 to 100, not 101.', { last: 101 }],
    ['first and last cannot be used together.', { first: 1, last: 1 }],
  ])('say what is wrong: %s', async (message, variables) => {
    const { errors } = await server.ask(PAGE, variables);
    expect(errors?.[0]).toMatchObject({ message, extensions: { code: 'INVALID_INPUT' } });
  });

  test('refuse a cursor of another order', async () => {
    const { pageInfo } = await page({ first: 1 });
    const { errors } = await server.ask(PAGE, {
      after: pageInfo.endCursor,
      orderBy: { field: 'NAME', direction: 'ASC' },
    });
    expect(errors?.[0]).toMatchObject({
      message: 'after: this cursor belongs to a list in another order.',
      extensions: { code: 'INVALID_INPUT' },
    });
  });
});

describe('a source', () => {
  test('shows everything but its secrets', async () => {
    const { globalId } = await addSource(server, 'shown');
    const { data, errors } = await server.ask(
      `query ($id: ID!) { node(id: $id) { __typename id ... on Source {
        name database { kind label } excludedTables { schema name }
        clearedColumns { table { name } columns } trees { name path include exclude } configTrees { name }
        envFile { path restorePath } lock { owner } backups { totalCount } records { totalCount } } } }`,
      { id: globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      node: {
        __typename: 'Source',
        id: globalId,
        name: 'shown',
        database: { kind: 'POSTGRESQL', label: 'db.example:5433/shop' },
        excludedTables: [{ schema: 'public', name: 'cache' }],
        clearedColumns: [{ table: { name: 'agents' }, columns: ['runtime_id'] }],
        trees: [{ name: 'uploads', path: '/srv/uploads', include: [], exclude: ['*.tmp'] }],
        configTrees: [],
        envFile: { path: '/srv/.env', restorePath: null },
        lock: null,
        backups: { totalCount: 0 },
        records: { totalCount: 0 },
      },
    });
    expect(JSON.stringify(data)).not.toContain('s3cret-word');
  });

  test('is no answer when the catalog holds damaged trees, and the reason stays in the log', async () => {
    const { id, globalId } = await addSource(server, 'damaged');
    const trees = [{ name: 'uploads', path: '/srv/uploads', include: [7], exclude: [] }];
    await server.opened.prisma.source.update({ where: { id }, data: { trees } });
    const { data, errors } = await server.ask(
      'query ($id: ID!) { source(id: $id) { trees { name } } settings { __typename } }',
      { id: globalId },
    );
    expect(data).toEqual({ source: null, settings: { __typename: 'Settings' } });
    expect(errors).toMatchObject([{ path: ['source', 'trees'], extensions: { code: 'INTERNAL' } }]);
    expect(JSON.stringify(errors)).not.toContain('Source.trees');
  });

  test('shows its lock while somebody holds it', async () => {
    const source = await addSource(server, 'locked');
    const record = await addRecord(server, { sourceId: source.id });
    const until = new Date(Date.now() + 60_000);
    await server.opened.catalog.locks.acquire(source.id, record.id, 'host/1/2', until);
    const { data, errors } = await server.ask(
      `query ($id: ID!) { source(id: $id) { lock { owner record { id } } }
        locks { owner expiresAt source { name } record { kind } } }`,
      { id: source.globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      source: { lock: { owner: 'host/1/2', record: { id: record.globalId } } },
      locks: [
        {
          owner: 'host/1/2',
          expiresAt: until.toISOString(),
          source: { name: 'locked' },
          record: { kind: 'CREATE' },
        },
      ],
    });
  });
});

describe('a backup', () => {
  test('shows its manifest, with every digit', async () => {
    const source = await addSource(server, 'manifest');
    const backup = await addBackup(server, { sourceId: source.id });
    await addRecord(server, { backupId: backup.id, sourceId: source.id });
    await server.opened.catalog.backups.certify({
      ...NO_FINDINGS,
      backupId: backup.id,
      finishedAt: new Date('2026-02-01'),
      message: 'one entry is damaged',
    });
    const { data, errors } = await server.ask(
      `query ($id: ID!) { backup(id: $id) {
        sizeBytes checksum encrypted encryption { mode cipher key recipients kdf { name logN } } signature { state fingerprint publicKey } formatVersion trigger pinned missing
        contents { tables rows files bytes } source { name }
        lastVerification { at verdict message }
        records { edges { node { kind source { name } backup { name } } } }
        manifest { database { kind tables { name rowCount columns { name type } } sequences { name lastValue } }
          trees { area name fileCount } leftOut { name reason } filesReadFrom } } }`,
      { id: backup.globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      backup: {
        sizeBytes: '9007199254740993',
        checksum: 'ab'.repeat(32),
        encrypted: false,
        encryption: { mode: 'NONE', cipher: null, key: null, recipients: [], kdf: null },
        signature: { state: 'UNSIGNED', fingerprint: null, publicKey: null },
        formatVersion: 1,
        trigger: 'MANUAL',
        pinned: false,
        missing: false,
        contents: { tables: 1, rows: '12', files: '2', bytes: '400' },
        source: { name: 'manifest' },
        lastVerification: {
          at: '2026-02-01T00:00:00.000Z',
          verdict: 'FAILED',
          message: 'one entry is damaged',
        },
        records: {
          edges: [{ node: { kind: 'CREATE', source: { name: 'manifest' }, backup: { name: backup.name } } }],
        },
        manifest: {
          database: {
            kind: 'POSTGRESQL',
            tables: [{ name: 'customers', rowCount: '12', columns: [{ name: 'id', type: 'bigint' }] }],
            sequences: [{ name: 'ids', lastValue: '9223372036854775807' }],
          },
          trees: [{ area: 'FILES', name: 'uploads', fileCount: '2' }],
          leftOut: [{ name: 'v_customers', reason: 'a view holds no rows' }],
          filesReadFrom: null,
        },
      },
    });
  });

  test('that is missing has no download link', async () => {
    const backup = await addBackup(server);
    await server.opened.catalog.backups.setMissing(backup.id, true);
    const { data } = await server.ask(`{ backup(id: "${backup.globalId}") { missing downloadUrl } }`);
    expect(data).toEqual({ backup: { missing: true, downloadUrl: null } });
  });
});

describe('a record', () => {
  test('that waits has no progress yet', async () => {
    const record = await addRecord(server);
    const { data, errors } = await server.ask(
      `query ($id: ID!) { record(id: $id) { kind status trigger requestedBy warnings startedAt finishedAt
        progress { rows bytes fraction currentItem } phases { name } error { code } result { __typename }
        source { name } backup { name } parent { id } lastSequence } }`,
      { id: record.globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      record: {
        kind: 'CREATE',
        status: 'QUEUED',
        trigger: 'MANUAL',
        requestedBy: 'owner',
        warnings: [],
        startedAt: null,
        finishedAt: null,
        progress: { rows: '0', bytes: '0', fraction: null, currentItem: null },
        phases: [],
        error: null,
        result: null,
        source: null,
        backup: null,
        parent: null,
        lastSequence: 1,
      },
    });
  });

  test('that failed says in which phase, why, and what to do; a restore also how it left its target', async () => {
    const before = await addBackup(server);
    const record = await addRecord(server, { kind: 'RESTORE' });
    await server.opened.prisma.record.update({
      where: { id: record.id },
      data: {
        status: 'FAILED',
        error: { code: 'SOURCE_BUSY', phase: 'CLEAR_TABLES', message: 'locked', hint: 'stop it' },
        result: {
          kind: 'RESTORE',
          targetState: 'WHOLLY_OLD',
          dryRun: false,
          rolledBack: true,
          proven: false,
          rowsRestored: 0,
          filesRestored: 0,
          tables: [{ schema: 'public', name: 'customers', rows: 3, digest: '0f'.repeat(16) }],
          trees: [],
          envFileRestored: false,
          preRestoreBackupId: before.id,
        },
      },
    });
    const { data, errors } = await server.ask(
      `query ($id: ID!) { record(id: $id) { status error { code phase message hint } result {
        ... on RestoreResult { targetState rolledBack restoredTables { name rows digest } preRestoreBackup { name } } } } }`,
      { id: record.globalId },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      record: {
        status: 'FAILED',
        error: { code: 'SOURCE_BUSY', phase: 'CLEAR_TABLES', message: 'locked', hint: 'stop it' },
        result: {
          targetState: 'WHOLLY_OLD',
          rolledBack: true,
          restoredTables: [{ name: 'customers', rows: '3', digest: '0f'.repeat(16) }],
          preRestoreBackup: { name: before.name },
        },
      },
    });
  });

  test('list is filtered by kind, status and source', async () => {
    const source = await addSource(server, 'recorded');
    const wanted = await addRecord(server, { kind: 'VERIFY', sourceId: source.id });
    await addRecord(server, { kind: 'CREATE', sourceId: source.id });
    const { data } = await server.ask(
      `query ($filter: RecordFilter) { records(filter: $filter) { totalCount edges { node { id } } } }`,
      { filter: { kind: ['VERIFY', 'ROTATE'], status: ['QUEUED'], sourceId: source.globalId } },
    );
    expect(data).toEqual({ records: { totalCount: 1, edges: [{ node: { id: wanted.globalId } }] } });
  });
});

describe('ids', () => {
  test.each(['', 'nonsense', 'Backup:1', Buffer.from('Member:1').toString('base64url')])(
    '"%s" names nothing',
    async (id) => {
      const { data, errors } = await server.ask(
        'query ($id: ID!) { node(id: $id) { id } backup(id: $id) { id } }',
        { id },
      );
      expect([data, errors]).toEqual([{ node: null, backup: null }, undefined]);
    },
  );

  test('of one type do not open another', async () => {
    const backup = await addBackup(server);
    const { data } = await server.ask(`{ record(id: "${backup.globalId}") { id } }`);
    expect(data).toEqual({ record: null });
  });
});

describe('restorePlan', () => {
  const PLAN = `query ($input: RestorePlanInput!) { restorePlan(input: $input) {
    __typename
    ... on RestorePlan { hash target { name } tables { name rowsNow rowsInBundle } untouchedTables { name } sessions { user } warnings }
    ... on UserError { code message } } }`;

  test('says what a restore would do', async () => {
    const source = await addSource(server, 'planned');
    const backup = await addBackup(server, { sourceId: source.id });
    const { data, errors } = await server.ask(PLAN, { input: { bundle: { backupId: backup.globalId } } });
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      restorePlan: {
        __typename: 'RestorePlan',
        hash: 'plan-hash',
        target: { name: 'planned' },
        tables: [{ name: 'customers', rowsNow: '2', rowsInBundle: '9007199254740991' }],
        untouchedTables: [{ name: 'later' }],
        sessions: null,
        warnings: ['one table stays'],
      },
    });
  });

  test('answers refusals as types', async () => {
    server.engine.restorePlan = async () => {
      throw new HoldfastError('SOURCE_UNREACHABLE', 'The database does not answer.');
    };
    const backup = await addBackup(server);
    const { data } = await server.ask(PLAN, { input: { bundle: { backupId: backup.globalId } } });
    expect(data).toEqual({
      restorePlan: {
        __typename: 'SourceUnavailableError',
        code: 'SOURCE_UNREACHABLE',
        message: 'The database does not answer.',
      },
    });
  });
});

test('settings tell what the server is set up to do', async () => {
  const { data } = await server.ask(
    '{ settings { serverVersion publicUrl formatVersion oldestFormatVersion uploadLimitBytes roots } }',
  );
  expect(data).toEqual({
    settings: {
      serverVersion: '0.0.0-test',
      publicUrl: server.url,
      formatVersion: 1,
      oldestFormatVersion: 1,
      uploadLimitBytes: '1000000',
      roots: ['/srv'],
    },
  });
});
