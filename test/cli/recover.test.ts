import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { type HoldfastClient, unwrap } from '../../client/sdk/index.ts';
import { sealRecoveryKit } from '../../src/bundle/recovery-kit-file.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres-database.ts';
import { typePassphrase } from '../support/type-passphrase.ts';
import { backUp, environment, finished, Ground, PASSPHRASE } from './recovery.ts';

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.make();
});
afterEach(() => ground.remove());

/** Every file of the storage with its SHA-256 and time. */
async function storageNow(): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of await readdir(ground.path('bundles'), { recursive: true })) {
    const path = join(ground.path('bundles'), name);
    const stats = await stat(path);
    if (!stats.isFile()) continue;
    files[name] = `${stats.mtimeMs} ${createHash('sha256')
      .update(await readFile(path))
      .digest('hex')}`;
  }
  return files;
}

function orders(): unknown[] {
  const database = new Database(ground.path('application/app.db'));
  try {
    return database.prepare('SELECT * FROM orders').safeIntegers().all();
  } finally {
    database.close();
  }
}

function destroyOrders(): void {
  const database = new Database(ground.path('application/app.db'));
  database.exec("UPDATE orders SET note = 'lost', big = 0");
  database.close();
}

async function listed(client: HoldfastClient) {
  return (await client.backups()).edges.map(({ node }) => node);
}

/** One backup and a kit, and then nothing but the storage and the kit. */
async function lost(): Promise<void> {
  const client = await ground.serve();
  await backUp(client, await ground.addSource(client));
  await ground.downloadKit(client);
  await ground.stop();
  await rm(ground.path('data'), { recursive: true });
}

test('with the kit and the storage a fresh instance has sources, keys and backups, and restores them', async () => {
  const before = orders();
  let client = await ground.serve();
  const sourceId = await ground.addSource(client);
  const sealed = await backUp(client, sourceId);
  await backUp(client, sourceId, { encryption: { mode: 'NONE' } });
  const { key: rotated } = unwrap(await client.rotateEncryptionKey());
  await backUp(client, sourceId);
  const stranger = { publicKey: Buffer.alloc(32, 9).toString('base64'), name: 'the other house' };
  unwrap(await client.trustSigner(stranger));
  const keys = (await client.encryptionKeys()).map(({ id }) => id);
  const backups = await listed(client);
  const oldSigner = (await client.settings()).signer;
  await ground.downloadKit(client);
  await ground.stop();
  await rm(ground.path('data'), { recursive: true });
  destroyOrders();
  await rm(ground.path('application/files/read me.txt'));
  const storage = await storageNow();

  const recovered = await ground.recover();
  expect(recovered).toMatchObject({ code: 0, stdout: expect.stringMatching(/^hf_[\w-]{43}\n$/) });
  expect(recovered.stderr).toContain('1 sources, 0 jobs, 2 keys, 3 backups');
  expect(await storageNow()).toEqual(storage);

  client = await ground.serve(recovered.stdout.trim());
  expect(await client.viewer()).toMatchObject({ role: 'OWNER' });
  expect((await client.settings()).signer).not.toEqual(oldSigner);
  expect((await client.trustedSigners()).map(({ fingerprint }) => fingerprint)).toContain(
    oldSigner.fingerprint,
  );
  expect((await client.trustedSigners()).map(({ name }) => name)).toContain('the other house');
  expect((await client.encryptionKeys()).map(({ id }) => id)).toEqual(keys);
  expect((await client.encryptionKeys()).every(({ retiredAt }) => retiredAt !== null)).toBe(true);
  expect(keys).toContain(rotated.id);
  const now = await listed(client);
  const told = ({ name, checksum, sizeBytes, createdAt, source }: (typeof now)[number]) => ({
    ...{ name, checksum, sizeBytes, createdAt, sourceId: source?.id },
  });
  expect(now.map(told)).toEqual(backups.map(told));
  expect(now.map(({ source }) => source?.id)).toEqual([sourceId, sourceId, sourceId]);
  const oldest = now.find(({ name }) => name === backups.find(({ id }) => id === sealed)?.name);

  const { record } = unwrap(await client.restoreBackup({ bundle: { backupId: oldest?.id ?? '' } }));
  await finished(client, record.id);
  expect(orders()).toEqual(before);
  expect(await readFile(ground.path('application/files/read me.txt'), 'utf8')).toBe('kept');
  // What is backed up from now on is sealed with a key that the old kit does not hold.
  await backUp(client, sourceId);
  const active = (await client.encryptionKeys()).find(({ retiredAt }) => retiredAt === null);
  expect(keys).not.toContain(active?.id);
});

test('a source in PostgreSQL comes back with its connection string', async (context) => {
  const database = await createTestDatabase(inject('postgresUrl')).catch(() => undefined);
  context.skip(database === undefined, 'there is no PostgreSQL');
  if (database === undefined) return;
  try {
    await database.execute(
      'CREATE TABLE t (id bigint PRIMARY KEY, v text)',
      "INSERT INTO t VALUES (7, 'kept')",
    );
    let client = await ground.serve();
    const { source } = unwrap(
      await client.createSource({
        name: 'Shop',
        database: { postgresql: { url: database.url } },
        drill: { url: inject('postgresUrl') },
      }),
    );
    await backUp(client, source.id);
    await ground.downloadKit(client);
    await ground.stop();
    await rm(ground.path('data'), { recursive: true });
    await database.execute("UPDATE t SET v = 'lost'");
    const recovered = await ground.recover();
    expect(recovered.code).toBe(0);
    expect(recovered.stderr).not.toContain('owner-secret');
    client = await ground.serve(recovered.stdout.trim());
    const [backup] = await listed(client);
    const verify = unwrap(await client.verifyBackup({ backupId: backup?.id ?? '', level: 'RESTORE' }));
    await finished(client, verify.record.id);
    const { record } = unwrap(await client.restoreBackup({ bundle: { backupId: backup?.id ?? '' } }));
    await finished(client, record.id);
    expect(await database.query('SELECT id, v FROM t')).toEqual([['7', 'kept']]);
  } finally {
    await ground.stop();
    await database.dispose();
  }
});

describe('nothing is made', () => {
  const nothing = () => expect(existsSync(ground.path('data'))).toBe(false);

  test('with another passphrase, or none', async () => {
    await lost();
    const wrong = await ground.recover({ HOLDFAST_KIT_PASSPHRASE: 'correct horse battery' });
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^DECRYPTION_FAILED: The recovery kit does not open/);
    const args = ['recover', '--kit', ground.path('kit.age'), '--storage', ground.path('bundles')];
    const asked = await ground.run([...args, '--data', ground.path('data')]);
    expect(asked.stderr).toContain('--passphrase-file');
    nothing();
  });

  test('from a kit that was changed, is cut short, or is something else', async () => {
    await lost();
    const kit = await readFile(ground.path('kit.age'));
    for (const change of [
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
      (bytes: Buffer) => bytes.subarray(0, 100),
      (bytes: Buffer) => bytes.fill((bytes.at(-100) ?? 0) ^ 1, bytes.length - 100, bytes.length - 99),
      () => Buffer.from('something else'),
      () => Buffer.alloc(0),
    ]) {
      await writeFile(ground.path('kit.age'), change(Buffer.from(kit)));
      const { code, stderr } = await ground.recover();
      expect(stderr).toMatch(/^INVALID_CHECKSUM: The file is no recovery kit/);
      expect(code).toBe(1);
    }
    nothing();
  });

  test.each([
    [{ kitVersion: 2 }, /^FORMAT_TOO_NEW: The recovery kit has version 2/],
    [{ kitVersion: 1, workspace: 's3cret' }, /^INVALID_INPUT: The recovery kit cannot be read/],
  ])('from a kit that says %j', async (contents, expected) => {
    await mkdir(ground.path('bundles'));
    const file = { name: 'kit.json', content: Buffer.from(JSON.stringify(contents)) };
    await writeFile(ground.path('kit.age'), await sealRecoveryKit([file], PASSPHRASE, new Date()));
    const { stderr } = await ground.recover();
    expect(stderr).toMatch(expected);
    expect(stderr).not.toContain('s3cret');
    nothing();
  });

  test('from a storage that is not there, or not the one of the kit', async () => {
    await lost();
    await mkdir(ground.path('elsewhere'));
    const missing = await ground.recover({}, '--storage', ground.path('misspelt'));
    expect(missing.stderr).toMatch(/^NOT_FOUND: There is no storage directory/);
    const other = await ground.recover({}, '--storage', ground.path('elsewhere'));
    expect(other.stderr).toMatch(/^NOT_FOUND: The storage .* has no folder/);
    expect(existsSync(ground.path('misspelt'))).toBe(false);
    nothing();
  });

  test('where there is a catalog already', async () => {
    const client = await ground.serve();
    await backUp(client, await ground.addSource(client));
    await ground.downloadKit(client);
    await ground.stop();
    const catalog = await readFile(ground.path('data/catalog.sqlite'));
    const { code, stderr } = await ground.recover();
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^INVALID_INPUT: There is a catalog in/)]);
    expect(await readFile(ground.path('data/catalog.sqlite'))).toEqual(catalog);
  });
});

test('the passphrase is asked for on a terminal, and not shown', async (context) => {
  needs(context, 'python3');
  await lost();
  const words = ['recover', '--kit', 'kit.age', '--storage', 'bundles', '--data', 'data'];
  const shown = await typePassphrase(PASSPHRASE, ground.command(words), ground.directory, environment);
  expect(shown).toContain('Passphrase of the recovery kit: ');
  expect(shown).toMatch(/hf_[\w-]{43}/);
  expect(shown).not.toContain(PASSPHRASE);
  expect(existsSync(ground.path('data/catalog.sqlite'))).toBe(true);
});

test.each([
  ['when it begins', /^\.recovering\.[^/]+$/],
  ['while it fills the catalog', /\/catalog\.sqlite-wal$/],
])('a recovery that is killed %s leaves no catalog, and the next one begins anew', async (_when, reached) => {
  await lost();
  const child = ground.start(
    ['recover', '--kit', ground.path('kit.age'), '--storage', ground.path('bundles')],
    { HOLDFAST_DATA: ground.path('data'), HOLDFAST_KIT_PASSPHRASE: PASSPHRASE },
  );
  const made = () => readdir(ground.path('data'), { recursive: true }).catch(() => []);
  await expect.poll(made, { timeout: 30_000, interval: 2 }).toContainEqual(expect.stringMatching(reached));
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
  expect(await readdir(ground.path('data'))).toEqual([expect.stringMatching(/^\.recovering\./)]);
  expect((await ground.recover()).code).toBe(0);
  expect((await readdir(ground.path('data'))).sort()).toEqual(['catalog.sqlite', 'instance.key']);
});

test('what a kit is too old for is told', async () => {
  const client = await ground.serve();
  await ground.downloadKit(client);
  unwrap(await client.rotateEncryptionKey());
  await backUp(client, await ground.addSource(client));
  await ground.stop();
  await rm(ground.path('data'), { recursive: true });
  const { code, stderr, stdout } = await ground.recover();
  expect(code).toBe(0);
  expect(stderr).toContain('1 backups are sealed with a key that this kit is too old for');
  expect(stderr).toContain('1 backups are of sources that this kit does not hold');
  const fresh = await ground.serve(stdout.trim());
  expect((await listed(fresh)).map(({ source }) => source)).toEqual([null]);
});

test('bundles that are damaged are told and left out; the others are found', async () => {
  await lost();
  const [folder = ''] = await readdir(ground.path('bundles'));
  const [bundle = ''] = await readdir(join(ground.path('bundles'), folder));
  const place = (name: string) => join(ground.path('bundles'), folder, name);
  await writeFile(place('damaged.zip'), (await readFile(place(bundle))).subarray(100));
  await writeFile(place('notes.txt'), 'no bundle');
  const { code, stderr, stdout } = await ground.recover();
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining(`Not catalogued: ${folder}/damaged.zip: INVALID_`),
  ]);
  expect(stderr).not.toContain('notes.txt');
  const client = await ground.serve(stdout.trim());
  expect((await listed(client)).map(({ name }) => name)).toEqual([basename(bundle)]);
});

test('with the instance key of before, the signer is the same; a data directory may hold the storage', async () => {
  const key = { HOLDFAST_INSTANCE_KEY: 'ab'.repeat(32), HOLDFAST_STORAGE: ground.path('data/bundles') };
  let client = await ground.serve(undefined, key);
  await backUp(client, await ground.addSource(client));
  await ground.downloadKit(client);
  await ground.stop();
  await cp(ground.path('data/bundles'), ground.path('copy'), { recursive: true });
  await rm(ground.path('data'), { recursive: true });
  await mkdir(ground.path('data'));
  await cp(ground.path('copy'), ground.path('data/bundles'), { recursive: true });
  await writeFile(ground.path('passphrase'), `${PASSPHRASE}\n`);
  const { code, stdout } = await ground.run(
    ['recover', '--kit', 'kit.age', '--passphrase-file', 'passphrase', '--data', 'data'],
    { HOLDFAST_INSTANCE_KEY: key.HOLDFAST_INSTANCE_KEY },
  );
  expect(code).toBe(0);
  client = await ground.serve(stdout.trim(), key);
  expect(await client.trustedSigners()).toEqual([]);
  expect((await listed(client)).map(({ signature }) => signature.state)).toEqual(['OWN']);
});
