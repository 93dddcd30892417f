import { afterAll, beforeAll, expect, test } from 'vitest';
import { authenticateApiKey, ensureOwner, type NewOwner } from '../../src/catalog/identity.ts';
import { type TestCatalog, testCatalog } from './support.ts';

let catalog: TestCatalog;
let owner: NewOwner;
beforeAll(async () => {
  catalog = await testCatalog();
  await catalog.prisma.workspace.deleteMany();
  const made = await Promise.all([ensureOwner(catalog.prisma), ensureOwner(catalog.prisma)]);
  const [first] = made.filter((one) => one !== undefined);
  if (first === undefined || made.every((one) => one !== undefined)) throw new Error('not exactly one owner');
  owner = first;
});
afterAll(() => catalog.remove());

const row = () => catalog.prisma.apiKey.findFirstOrThrow();

test('the first start makes an owner whose key is shown once and kept as a hash', async () => {
  expect(owner.apiKey).toMatch(/^hf_[A-Za-z0-9_-]{43}$/);
  expect(await ensureOwner(catalog.prisma)).toBeUndefined();
  const key = await row();
  expect(JSON.stringify(key)).not.toContain(owner.apiKey);
  expect(owner.apiKey.startsWith(key.prefix)).toBe(true);
  expect(await authenticateApiKey(catalog.prisma, owner.apiKey)).toEqual({
    workspaceId: owner.workspaceId,
    memberName: 'owner',
    role: 'OWNER',
    keyId: key.id,
  });
});

test('no other key is anybody', async () => {
  const other = owner.apiKey.slice(0, -1) + (owner.apiKey.endsWith('A') ? 'B' : 'A');
  const { hash } = await row();
  for (const key of ['', 'hf_', other, hash, `${owner.apiKey} `, owner.apiKey.toLowerCase()]) {
    expect(await authenticateApiKey(catalog.prisma, key)).toBeUndefined();
  }
});

test('when a key was last used is noted once a minute', async () => {
  const { id } = await row();
  const setLastUsed = (lastUsedAt: Date) =>
    catalog.prisma.apiKey.update({ where: { id }, data: { lastUsedAt } });
  const recently = new Date(Date.now() - 30_000);
  await setLastUsed(recently);
  await authenticateApiKey(catalog.prisma, owner.apiKey);
  expect((await row()).lastUsedAt).toEqual(recently);
  const before = new Date(Date.now() - 61_000);
  await setLastUsed(before);
  await authenticateApiKey(catalog.prisma, owner.apiKey);
  expect((await row()).lastUsedAt?.getTime()).toBeGreaterThan(recently.getTime());
});

test('a revoked key is nobody any more', async () => {
  await catalog.prisma.apiKey.updateMany({ data: { revokedAt: new Date() } });
  expect(await authenticateApiKey(catalog.prisma, owner.apiKey)).toBeUndefined();
});
