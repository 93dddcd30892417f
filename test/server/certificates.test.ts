/** What verifications have found, as the API tells it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_FINDINGS } from '../support/no-findings.ts';
import { addBackup, addRecord, addSource, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(async () => {
  await server.stop();
});

const PROVEN = { ...NO_FINDINGS, level: 'RESTORE', verdict: 'PASSED', message: 'all well' } as const;

test('a certificate tells what was found, the standing one is the last verification', async () => {
  const source = await addSource(server, 'certified');
  const backup = await addBackup(server, { sourceId: source.id });
  const record = await addRecord(server, { backupId: backup.id, sourceId: source.id, kind: 'VERIFY' });
  const certify = server.opened.catalog.backups.certify;
  await certify({
    ...PROVEN,
    backupId: backup.id,
    recordId: record.id,
    startedAt: new Date('2026-02-01T00:00:00Z'),
    finishedAt: new Date('2026-02-01T00:00:04.500Z'),
    restoreSeconds: 2.5,
    rows: 9007199254740993n,
    tables: [{ schema: null, name: 'author', rows: 3, digest: 'ab'.repeat(16) }],
  });
  await certify({
    ...NO_FINDINGS,
    backupId: backup.id,
    level: 'CONTENT',
    verdict: 'FAILED',
    message: 'damaged since',
    finishedAt: new Date('2026-02-02'),
  });
  await certify({
    ...NO_FINDINGS,
    backupId: backup.id,
    level: 'CHECKSUM',
    verdict: 'PASSED',
    message: 'the file is the same',
    finishedAt: new Date('2026-02-03'),
  });
  const { data, errors } = await server.ask(
    `query ($id: ID!) { backup(id: $id) {
      lastVerification { level verdict message at tables { name } }
      certificates { level verdict rows durationSeconds restoreSeconds record { id } tables { schema name rows digest } }
      first: certificates(first: 1) { level } } }`,
    { id: backup.globalId },
  );
  expect(errors).toBeUndefined();
  expect(data).toMatchObject({
    backup: {
      lastVerification: {
        level: 'CONTENT',
        verdict: 'FAILED',
        message: 'damaged since',
        at: '2026-02-02T00:00:00.000Z',
      },
      certificates: [
        { level: 'CHECKSUM', verdict: 'PASSED' },
        { level: 'CONTENT', verdict: 'FAILED' },
        {
          level: 'RESTORE',
          verdict: 'PASSED',
          rows: '9007199254740993',
          durationSeconds: 4.5,
          restoreSeconds: 2.5,
          record: { id: record.globalId },
          tables: [{ schema: null, name: 'author', rows: '3', digest: 'ab'.repeat(16) }],
        },
      ],
      first: [{ level: 'CHECKSUM' }],
    },
  });
});

test('a source tells of the newest drill that passed, with as many queries for one source as for many', async () => {
  const never = await addSource(server, 'proof never');
  const source = await addSource(server, 'proof of two');
  for (const [day, restoreSeconds] of [
    [3, 30],
    [5, 50],
    [4, 40],
  ] as const) {
    const backup = await addBackup(server, { sourceId: source.id });
    const finishedAt = new Date(`2026-03-0${day}`);
    await server.opened.catalog.backups.certify({
      ...PROVEN,
      backupId: backup.id,
      finishedAt,
      restoreSeconds,
    });
  }
  const failed = await addBackup(server, { sourceId: source.id });
  const finishedAt = new Date('2026-03-09');
  await server.opened.catalog.backups.certify({
    ...PROVEN,
    backupId: failed.id,
    verdict: 'FAILED',
    finishedAt,
  });
  const { data, errors } = await server.ask(
    `{ sources(filter: { search: "proof" }) { edges { node { name lastProvenAt measuredRtoSeconds
        drill { label onOwnServer } } } }
       backups(filter: { proven: true }, first: 50) { totalCount } }`,
  );
  expect(errors).toBeUndefined();
  expect(data).toMatchObject({
    sources: {
      edges: [
        { node: { name: never.name, lastProvenAt: null, measuredRtoSeconds: null } },
        {
          node: {
            name: source.name,
            lastProvenAt: '2026-03-05T00:00:00.000Z',
            measuredRtoSeconds: 50,
            drill: { label: null, onOwnServer: false },
          },
        },
      ],
    },
    backups: { totalCount: 4 },
  });
});

test('the scratch server is taken, and never shown but for its label', async () => {
  const { data, errors } = await server.ask(
    `mutation { createSource(input: { name: "drilled", database: { postgresql: { url: "postgresql://app:pa55@db/shop" } },
        drill: { url: "postgresql://tester:s3cret@scratch:5433/postgres" } }) {
      ... on CreateSourcePayload { source { drill { label onOwnServer } } } } }`,
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    createSource: { source: { drill: { label: 'scratch:5433/postgres', onOwnServer: false } } },
  });
  const rows = JSON.stringify(await server.opened.prisma.source.findMany());
  expect(rows).not.toContain('s3cret');
});
