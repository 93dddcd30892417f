import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deriveKey, loadInstanceKey } from '../../src/catalog/instance-key.ts';
import { openCatalog } from '../../src/catalog/open-catalog.ts';
import { createSecrets } from '../../src/catalog/secrets.ts';
import { aSource, temporaryDirectory } from './support.ts';

let directory: string;
let file: string;
let catalogFile: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  file = join(directory, 'key', 'instance.key');
  catalogFile = join(directory, 'catalog.db');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const load = (fromEnvironment?: string) => loadInstanceKey({ file, catalogFile, fromEnvironment });

test('the first start makes a key that only its owner can read, and later starts read it', async () => {
  const key = await load();
  expect(key).toHaveLength(32);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await load()).toEqual(key);
  expect(await readdir(join(directory, 'key'))).toEqual(['instance.key']);
});

test('starts at the same time agree on one key', async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => load()));
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
});

test.each(['base64', 'base64url', 'hex'] as const)(
  'the environment may give the key in %s',
  async (encoding) => {
    const key = randomBytes(32);
    expect(await load(key.toString(encoding))).toEqual(key);
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  },
);

test('a malformed key is refused without repeating it', async () => {
  const failure = await load('far-too-short').catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'INVALID_INPUT' });
  expect(String(failure)).not.toContain('far-too-short');
  await load();
  await writeFile(file, 'damaged');
  await expect(load()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

test('a key file that others can read is refused', async () => {
  await load();
  await chmod(file, 0o640);
  await expect(load()).rejects.toMatchObject({
    code: 'FORBIDDEN',
    hint: expect.stringContaining('chmod 600'),
  });
});

test('a lost key is not replaced while the catalog holds secrets sealed with it', async () => {
  const catalog = await openCatalog({ file: catalogFile, secrets: createSecrets(await load()) });
  await rm(file);
  expect(await load()).toHaveLength(32);
  const { id } = await catalog.prisma.workspace.create({ data: { name: 'w' } });
  await catalog.catalog.sources.create(id, aSource());
  await catalog.close();
  await rm(file);
  await expect(load()).rejects.toMatchObject({
    code: 'DECRYPTION_FAILED',
    hint: expect.stringMatching(/holdfast recover.*rotateEncryptionKey/),
  });
  await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('derived keys differ by purpose and by instance, and never change', () => {
  const key = Buffer.alloc(32, 7);
  const links = deriveKey(key, 'signed links');
  expect(links).not.toEqual(deriveKey(key, 'catalog secrets'));
  expect(links).not.toEqual(deriveKey(Buffer.alloc(32, 8), 'signed links'));
  expect(links.toString('hex')).toBe('5ceea32db6b035effcfdb147af9fe6ef6ffcb045d91922f2ef1bf68b6ef86d40');
});
