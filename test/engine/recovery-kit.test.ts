import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRecoveryKit } from '../../src/bundle/recovery-kit-file.ts';
import { openCatalog } from '../../src/catalog/open-catalog.ts';
import { sealedKey } from '../../src/catalog/prisma-encryption-keys.ts';
import { rebuildWorkspace } from '../../src/catalog/prisma-workspaces.ts';
import { createSecrets } from '../../src/catalog/secrets.ts';
import { KIT_FILES, readKit } from '../../src/engine/recovery-kit.ts';
import { TestEngine } from '../support/engine.ts';

const PASSPHRASE = 'correct horse battery staple';
const signal = new AbortController().signal;

let engine: TestEngine;
let now: Date;
let log: string[];
const keep = (details: object, message: string) => log.push(JSON.stringify([details, message]));
const start = (directory?: string) =>
  TestEngine.start(() => ({ now: () => now, log: { info: keep, warn: keep, error: keep } }), directory);
beforeEach(async () => {
  now = new Date();
  log = [];
  engine = await start();
});
afterEach(() => engine.remove());

const make = (passphrase = PASSPHRASE) => engine.engine.createRecoveryKit(engine.actor, { passphrase });
const kits = () => readdir(engine.parts.directories.kits).catch(() => []);

async function filesOf(kitId: string) {
  const file = await engine.engine.openRecoveryKit(engine.actor.workspaceId, kitId);
  try {
    return await openRecoveryKit(file, PASSPHRASE, signal);
  } finally {
    await file.close();
  }
}

test('everything of the workspace goes through a kit into another catalog, column by column', async () => {
  const { prisma, catalog } = engine.opened;
  const { workspaceId } = engine.actor;
  const tree = { name: 'files', path: '/srv/files', include: ['**'], exclude: ['*.tmp'] };
  const source = await catalog.sources.create(workspaceId, {
    name: 'Shop "1"',
    database: { kind: 'POSTGRESQL', url: 'postgresql://app:s3cret@db.example:5433/shop' },
    excludedTables: [{ schema: 'public', name: 'cache' }],
    clearedColumns: [{ table: { schema: null, name: 'agents' }, columns: ['runtime_id'] }],
    trees: [tree],
    configTrees: [{ ...tree, name: 'config' }],
    envFile: { path: '/srv/.env', restorePath: '/srv/.env.restored' },
    drill: { url: 'postgresql://drill:s3cret@scratch.example/postgres', onOwnServer: true },
  });
  await prisma.job.create({
    data: {
      ...{ workspaceId, sourceId: source.id, name: 'nightly', enabled: false, schedule: '0 3 * * *' },
      ...{ timezone: 'Europe/Berlin', selection: { database: true }, retention: { keepLast: 3 } },
    },
  });
  await prisma.setting.create({ data: { workspaceId, key: 'theme', value: { dark: true } } });
  await catalog.trustedSigners.add(workspaceId, {
    ...{ fingerprint: '0b'.repeat(32), publicKey: randomBytes(32).toString('base64'), name: 'other' },
  });
  await catalog.encryptionKeys.active(workspaceId);
  await catalog.encryptionKeys.rotate(workspaceId, new Date());

  const { state } = readKit((await filesOf((await make()).id)).get(KIT_FILES.contents));
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-kit-'));
  const secrets = createSecrets(randomBytes(32));
  const other = await openCatalog({ file: join(directory, 'catalog.sqlite'), secrets });
  try {
    await rebuildWorkspace(other.prisma, secrets, state, now);
    const tables = async (client: typeof prisma) => ({
      workspace: await client.workspace.findMany(),
      source: await client.source.findMany({
        omit: { databaseSecret: true, drillSecret: true, updatedAt: true, lockCounter: true },
      }),
      job: await client.job.findMany({ omit: { updatedAt: true } }),
      signer: await client.trustedSigner.findMany({ omit: { id: true } }),
      setting: await client.setting.findMany(),
    });
    const [before, after] = [await tables(prisma), await tables(other.prisma)];
    expect(after).toEqual(before);
    // A column that this test knows no value for would be left out of kits unseen.
    for (const rows of Object.values(before)) {
      expect(rows).toHaveLength(1);
      for (const row of rows) expect(Object.values(row)).not.toContain(null);
    }
    expect(await other.catalog.sources.find(workspaceId, source.id)).toEqual(source);
    const keys = await catalog.encryptionKeys.all(workspaceId);
    const retired = keys.map((key) => ({ ...key, retiredAt: key.retiredAt ?? now }));
    expect(await other.catalog.encryptionKeys.all(workspaceId)).toEqual(retired);
  } finally {
    await other.close();
    await rm(directory, { recursive: true });
  }
});

test('a kit of a workspace that has made no backup holds the key of the first', async () => {
  const { state } = readKit((await filesOf((await make()).id)).get(KIT_FILES.contents));
  const active = await engine.parts.catalog.encryptionKeys.active(engine.actor.workspaceId);
  expect(state.encryptionKeys.map(({ id }) => id)).toEqual([active.id]);
});

test('keys of an instance key that was lost keep no kit of the keys after it from being made', async () => {
  const { actor, opened, parts } = engine;
  const lost = await parts.catalog.encryptionKeys.active(actor.workspaceId);
  const secret = sealedKey(lost.id, lost.key, createSecrets(Buffer.alloc(32, 8)));
  await opened.prisma.encryptionKey.update({ where: { id: lost.id }, data: { secret } });
  // As long as it is to seal the next backups, somebody has to look at what became of the instance key.
  const refused = { code: 'DECRYPTION_FAILED', hint: expect.stringContaining('rotateEncryptionKey') };
  await expect(make()).rejects.toMatchObject(refused);
  const next = await engine.engine.rotateEncryptionKey(actor);
  const { state } = readKit((await filesOf((await make()).id)).get(KIT_FILES.contents));
  expect(state.encryptionKeys.map(({ id }) => id)).toEqual([next.id]);
});

test('neither passphrase nor keys nor connection strings are on disk, in the log or on the guide', async () => {
  await engine.opened.catalog.sources.create(engine.actor.workspaceId, {
    ...{ name: 'Shop', database: { kind: 'POSTGRESQL', url: 'postgresql://app:s3cret-word@db/shop' } },
    ...{ excludedTables: [], clearedColumns: [], trees: [], configTrees: [], envFile: null },
  });
  const { id } = await make();
  const { key } = await engine.parts.catalog.encryptionKeys.active(engine.actor.workspaceId);
  const places = [log.join('\n')];
  for (const name of await readdir(engine.directory, { recursive: true })) {
    const path = join(engine.directory, name);
    if ((await stat(path)).isFile()) places.push(await readFile(path, 'latin1'));
  }
  const files = await filesOf(id);
  places.push(files.get(KIT_FILES.guide)?.toString() ?? '');
  expect(places.length).toBeGreaterThan(3);
  for (const secret of [PASSPHRASE, 's3cret-word', key.toString('base64'), key.toString('latin1')]) {
    expect(places.filter((text) => text.includes(secret))).toEqual([]);
  }
  expect(files.get(KIT_FILES.keys)?.toString()).toContain(key.toString('base64'));
  const [name = ''] = await kits();
  expect((await stat(join(engine.parts.directories.kits, name))).mode & 0o777).toBe(0o600);
});

test('a kit is gone when it has expired, and so is what a dead process left of one', async () => {
  const { id, expiresAt } = await make();
  const [name = ''] = await kits();
  await writeFile(join(engine.parts.directories.kits, `${name}.part`), 'half');
  now = new Date(expiresAt.getTime() - 1);
  await engine.stop();
  engine = await start(engine.directory);
  expect(await kits()).toHaveLength(2);
  await (await engine.engine.openRecoveryKit(engine.actor.workspaceId, id)).close();
  now = expiresAt;
  await expect(engine.engine.openRecoveryKit(engine.actor.workspaceId, id)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await engine.stop();
  engine = await start(engine.directory);
  await expect.poll(kits).toEqual([]);
});

test('a kit is opened by its workspace alone, and ids are no paths', async () => {
  const { id } = await make();
  const other = engine.actor.workspaceId.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  for (const [workspaceId, kitId] of [
    [other, id],
    [engine.actor.workspaceId, `../${id}`],
    [engine.actor.workspaceId, ''],
  ] as const) {
    await expect(engine.engine.openRecoveryKit(workspaceId, kitId)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  }
});

describe('no kit is made', () => {
  test.each([
    ['short', 'elevenchars'],
    ['long', 'x'.repeat(1025)],
    ['one that no terminal takes', 'correct horse\nbattery staple'],
  ])('with a passphrase that is %s', async (_what, passphrase) => {
    const refused = await make(passphrase).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', field: 'passphrase' });
    expect(String(refused)).not.toContain(passphrase);
    expect(await kits()).toEqual([]);
  });

  test.each(['ADMIN', 'OPERATOR', 'VIEWER'] as const)('for the role %s', async (role) => {
    const actor = { ...engine.actor, role };
    await expect(engine.engine.createRecoveryKit(actor, { passphrase: PASSPHRASE })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await kits()).toEqual([]);
  });

  test('where it cannot be kept', async () => {
    const { kits: place } = engine.parts.directories;
    await rm(place, { recursive: true });
    await writeFile(place, 'in the way');
    await expect(make()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(await readFile(place, 'utf8')).toBe('in the way');
  });
});
