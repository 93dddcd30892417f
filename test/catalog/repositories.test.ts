import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_FINDINGS } from '../support/no-findings.ts';
import { aBackup, aRecord, aSource, type TestCatalog, testCatalog } from './support.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await testCatalog();
});
afterAll(() => catalog.remove());

const later = () => new Date(Date.now() + 60_000);

test('the catalog file, its journal and its folder are readable by their owner alone', async () => {
  await catalog.prisma.workspace.count();
  for (const file of [catalog.file, `${catalog.file}-wal`, `${catalog.file}-shm`]) {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  expect((await stat(dirname(catalog.file))).mode & 0o777).toBe(0o700);
  const database = new Database(catalog.file, { readonly: true });
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
  database.close();
});

test('closing twice is harmless', async () => {
  const again = await catalog.reopen();
  await again.close();
  await again.close();
});

test('a source is read back as it was defined, and its connection string stands nowhere in clear', async () => {
  const { sources } = catalog.catalog;
  const definition = aSource('shop');
  const source = await sources.create(catalog.ours, definition);
  expect(source).toMatchObject(definition);
  expect(await sources.find(catalog.ours, source.id)).toEqual(source);
  expect(await sources.find(catalog.theirs, source.id)).toBeUndefined();
  const row = await catalog.prisma.source.findUniqueOrThrow({ where: { id: source.id } });
  expect(row.databaseLabel).toBe('db.example:5433/shop');
  expect(JSON.stringify(row)).not.toContain('s3cret-word');
});

test.each([
  { name: 'sqlite', change: { database: { kind: 'SQLITE', path: '/srv/app.db' } as const, envFile: null } },
  { name: 'files only', change: { database: null, envFile: { path: '/a', restorePath: '/b' } } },
])('a source of another kind survives: $name', async ({ name, change }) => {
  const { sources } = catalog.catalog;
  const { id } = await sources.create(catalog.ours, aSource(name, change));
  expect(await sources.find(catalog.ours, id)).toMatchObject(change);
});

test('updating a source reseals its connection string; names stay unique in a workspace', async () => {
  const { sources } = catalog.catalog;
  const first = await sources.create(catalog.ours, aSource('first'));
  await sources.create(catalog.ours, aSource('second'));
  await sources.create(catalog.theirs, aSource('first'));
  const database = { kind: 'POSTGRESQL', url: 'postgresql://new:other@h/d' } as const;
  expect(await sources.update(catalog.ours, first.id, aSource('renamed', { database }))).toMatchObject({
    id: first.id,
    name: 'renamed',
    database,
  });
  const taken = { code: 'INVALID_INPUT', field: 'name' };
  await expect(sources.create(catalog.ours, aSource('second'))).rejects.toMatchObject(taken);
  await expect(sources.update(catalog.ours, first.id, aSource('second'))).rejects.toMatchObject(taken);
  await expect(sources.update(catalog.theirs, first.id, aSource('x'))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('a sealed connection string that was moved to another source does not open', async () => {
  const { sources } = catalog.catalog;
  const one = await sources.create(catalog.ours, aSource('one'));
  const two = await sources.create(catalog.ours, aSource('two'));
  const row = await catalog.prisma.source.findUniqueOrThrow({ where: { id: one.id } });
  await catalog.prisma.source.update({
    where: { id: two.id },
    data: { databaseSecret: row.databaseSecret },
  });
  await expect(sources.find(catalog.ours, two.id)).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
});

test('deleting a source keeps its backups and records, and releases its lock', async () => {
  const { sources, backups, records, locks } = catalog.catalog;
  const source = await sources.create(catalog.ours, aSource('deleted'));
  const backup = await backups.create(aBackup(catalog.ours, { sourceId: source.id }));
  const record = await records.create(aRecord(catalog.ours, { sourceId: source.id }));
  await locks.acquire(source.id, record.id, 'o', later());
  expect(await sources.delete(catalog.theirs, source.id)).toBe(false);
  expect(await sources.delete(catalog.ours, source.id)).toBe(true);
  expect(await sources.delete(catalog.ours, source.id)).toBe(false);
  expect(await backups.find(catalog.ours, backup.id)).toMatchObject({ sourceId: null });
  expect(await records.find(catalog.ours, record.id)).toMatchObject({ sourceId: null });
  expect(await locks.find(source.id)).toBeUndefined();
});

test('a backup lives: listed newest first, pinned, verified, missing, deleted in two steps', async () => {
  const { backups, sources } = catalog.catalog;
  const source = await sources.create(catalog.ours, aSource('lived'));
  const older = await backups.create(aBackup(catalog.ours, { sourceId: source.id }));
  const newer = await backups.create(aBackup(catalog.ours, { sourceId: source.id }));
  expect(older.sizeBytes).toBe(9_007_199_254_740_993n);
  expect(await backups.find(catalog.ours, older.id)).toEqual(older);
  expect(await backups.find(catalog.theirs, older.id)).toBeUndefined();
  expect(await backups.findByStorageKey(older.storageKey)).toEqual(older);
  const ids = async () => (await backups.summaries(catalog.ours, source.id)).map((summary) => summary.id);
  expect(await ids()).toEqual([newer.id, older.id]);
  expect(await backups.setPinned(catalog.theirs, older.id, true)).toBeUndefined();
  expect(await backups.setPinned(catalog.ours, older.id, true)).toMatchObject({ pinned: true });
  const at = new Date();
  await backups.certify({ ...NO_FINDINGS, backupId: older.id, finishedAt: at, message: 'db/a.json differs' });
  await backups.setMissing(older.id, true);
  expect(await backups.find(catalog.ours, older.id)).toMatchObject({
    missing: true,
    lastVerifiedAt: at,
    lastVerdict: 'FAILED',
    lastVerifyMessage: 'db/a.json differs',
  });
  await backups.markDeleting(older.id, at);
  expect(await ids()).toEqual([newer.id]);
  expect((await backups.deleting()).map((backup) => backup.id)).toEqual([older.id]);
  await backups.delete(older.id);
  await backups.delete(older.id);
  expect(await backups.find(catalog.ours, older.id)).toBeUndefined();
});

test('a bundle is in the catalog once, and belongs to a source of its own workspace', async () => {
  const { backups, sources } = catalog.catalog;
  const backup = await backups.create(aBackup(catalog.ours));
  const again = aBackup(catalog.ours, { storageKey: backup.storageKey });
  await expect(backups.create(again)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  const source = await sources.create(catalog.theirs, aSource('elsewhere'));
  await expect(backups.create(aBackup(catalog.ours, { sourceId: source.id }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('one record holds the lock of a source; its token grows with every holder and the old one cannot renew', async () => {
  const { locks, sources } = catalog.catalog;
  const other = (await catalog.reopen()).catalog.locks;
  const { id } = await sources.create(catalog.ours, aSource('locked'));
  const attempts = await Promise.all(
    ['a', 'b', 'c', 'd'].map((record, i) => (i % 2 ? locks : other).acquire(id, record, 'o', later())),
  );
  const holders = attempts.filter((lock) => lock !== undefined);
  expect(holders).toHaveLength(1);
  const first = holders[0];
  if (first === undefined) throw new Error('nobody got the lock');
  expect(await locks.find(id)).toEqual(first);
  expect(await locks.acquire(id, first.recordId, 'o', later())).toMatchObject({ token: first.token });
  expect(await locks.renew(id, first.token, new Date(Date.now() - 1))).toBe(true);
  const second = await locks.acquire(id, 'e', 'o', later());
  expect(second?.token).toBe(first.token + 1);
  expect(await locks.renew(id, first.token, later())).toBe(false);
  await locks.release(id, first.token);
  expect((await locks.find(id))?.recordId).toBe('e');
  await locks.releaseOf('e');
  expect(await locks.find(id)).toBeUndefined();
  const third = await locks.acquire(id, 'f', 'o', later());
  expect(third?.token).toBe(first.token + 2);
  await locks.release(id, first.token + 2);
  await locks.release(id, first.token + 2);
  expect(await locks.find(id)).toBeUndefined();
  await expect(locks.acquire('unknown', 'g', 'o', later())).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('uploads belong to a workspace and expire', async () => {
  const { uploads } = catalog.catalog;
  const expiresAt = new Date(Date.now() + 1_000);
  const upload = await uploads.create({
    id: 'upload-1',
    workspaceId: catalog.ours,
    fileName: 'a.zip',
    sizeBytes: 12n,
    checksum: 'cd'.repeat(32),
    expiresAt,
  });
  expect(await uploads.find(catalog.ours, upload.id)).toEqual(upload);
  expect(await uploads.find(catalog.theirs, upload.id)).toBeUndefined();
  expect(await uploads.expired(new Date())).toEqual([]);
  expect(await uploads.expired(expiresAt)).toEqual([upload]);
  await uploads.delete(upload.id);
  await uploads.delete(upload.id);
  expect(await uploads.expired(expiresAt)).toEqual([]);
});
