/** Sealed and signed backups, from the request to the restore, on real bundles. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seededSigner } from '../../src/bundle/seal/signer.ts';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import type { Encryption, RestoreBackupRequest } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';

const PASSPHRASE = 'correct-horse-battery';
const WRONG = 'incorrect-horse-battery';
const never = new AbortController().signal;
const noSnapshot = { preRestoreBackup: 'NONE' } as const;

let holdfast: TestEngine;
let application: Application;
let sourceId: string;
let bundled: unknown;
/** Brings the application back after a restore that failed. */
let baseline: string;
/** Another instance: with another key of its own, and another signer. */
let stranger: TestEngine;
let strangersSource: string;
const logged: string[] = [];

beforeAll(async () => {
  const keep = (details: object, message: string): void => {
    logged.push(`${message} ${inspect(details, { depth: 10, showHidden: true })}`);
  };
  holdfast = await TestEngine.start(() => ({ log: { info: keep, warn: keep, error: keep } }));
  application = await sqliteApplication(join(holdfast.root, 'app'));
  bundled = await application.content();
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
  baseline = (await backUp({ mode: 'NONE' })).backupId;
  stranger = await TestEngine.start(() => ({ signer: seededSigner(Buffer.alloc(32, 9)) }));
  const theirs = await sqliteApplication(join(stranger.root, 'app'));
  strangersSource = (await stranger.engine.createSource(stranger.actor, theirs.definition)).id;
});

afterAll(async () => {
  await holdfast.remove();
  await stranger.remove();
});

afterEach(async () => {
  expect(await holdfast.leftovers()).toEqual([]);
});

async function backUp(
  encryption?: Encryption,
  { engine, actor, finished }: Pick<TestEngine, 'engine' | 'actor' | 'finished'> = bound(holdfast),
  of = sourceId,
): Promise<RecordRow & { backupId: string }> {
  const record = await finished(
    await engine.createBackup(actor, {
      sourceId: of,
      selection: EVERYTHING,
      compression: 'STORE',
      ...(encryption !== undefined && { encryption }),
    }),
  );
  if (record.backupId === null) throw new Error(`backup failed: ${JSON.stringify(record.error)}`);
  return { ...record, backupId: record.backupId };
}

function bound(engine: TestEngine): Pick<TestEngine, 'engine' | 'actor' | 'finished'> {
  return { engine: engine.engine, actor: engine.actor, finished: (record) => engine.finished(record) };
}

async function bytesOf(of: TestEngine, backupId: string): Promise<Buffer> {
  const { storageKey } = await of.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
  return await readFile(join(of.directory, 'bundles', storageKey));
}

async function manifestOf(backupId: string) {
  const backup = await holdfast.parts.catalog.backups.find(holdfast.actor.workspaceId, backupId);
  if (backup === undefined) throw new Error('no such backup');
  return backup.manifest;
}

/** Wrecks the application and restores; the outcome, and whether the content is that of the bundle. */
async function restore(backupId: string, change: Partial<RestoreBackupRequest> = {}): Promise<RecordRow> {
  await application.wreck();
  const wrecked = await application.content();
  const record = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, sourceId, ...change }));
  expect(await application.content()).toEqual(record.status === 'SUCCEEDED' ? bundled : wrecked);
  if (record.status !== 'SUCCEEDED') await holdfast.restore(restoreOf(baseline, noSnapshot));
  return record;
}

const readPage = (backupId: string, unlock?: { passphrase: string }) =>
  holdfast.engine.readRows(
    holdfast.actor,
    backupId,
    { schema: null, name: 'author' },
    { from: 0, count: 1 },
    never,
    unlock,
  );

describe('a backup', () => {
  test('is sealed with the kept key and signed unless asked otherwise, and restores without anything given', async () => {
    const { backupId, request } = await backUp();
    const manifest = await manifestOf(backupId);
    const [key] = await holdfast.parts.catalog.encryptionKeys.all(holdfast.actor.workspaceId);
    expect(manifest.encryption).toMatchObject({ mode: 'KEY', keyId: key?.id });
    expect(manifest.signature?.fingerprint).toBe(holdfast.engine.signer.fingerprint);
    expect(request).toMatchObject({ encryption: { mode: 'KEY', keyId: key?.id } });
    const bytes = await bytesOf(holdfast, backupId);
    expect(bytes.includes('Barbara')).toBe(false);
    expect((await readPage(backupId)).map(({ row }) => row)).toMatchObject([{ name: 'Ada' }]);
    const restored = await restore(backupId, { preRestoreBackup: 'REQUIRED' });
    expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null });
    const { preRestoreBackupId } = restored.result as { preRestoreBackupId: string };
    expect((await manifestOf(preRestoreBackupId)).encryption.mode).toBe('KEY');
  });

  test('that asks for NONE can be read by everybody, and is signed all the same', async () => {
    const { backupId } = await backUp({ mode: 'NONE' });
    expect((await bytesOf(holdfast, backupId)).includes('Barbara')).toBe(true);
    expect((await manifestOf(backupId)).signature?.fingerprint).toBe(holdfast.engine.signer.fingerprint);
    expect((await restore(backupId)).status).toBe('SUCCEEDED');
  });

  test('of a rotated key stays readable, and the next one is sealed with the new key', async () => {
    const { engine, actor, parts } = holdfast;
    const old = await backUp();
    const before = await parts.catalog.encryptionKeys.active(actor.workspaceId);
    await expect(engine.rotateEncryptionKey({ ...actor, role: 'ADMIN' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const next = await engine.rotateEncryptionKey(actor, { replaces: before.id });
    expect(Object.keys(next).sort()).toEqual(['createdAt', 'id', 'retiredAt']);
    await expect(engine.rotateEncryptionKey(actor, { replaces: before.id })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field: 'replaces',
    });
    expect((await manifestOf((await backUp()).backupId)).encryption).toMatchObject({ keyId: next.id });
    expect((await manifestOf(old.backupId)).encryption).toMatchObject({ keyId: before.id });
    expect((await restore(old.backupId)).status).toBe('SUCCEEDED');
  });

  test('whose key was deleted is refused before anything is touched', async () => {
    const { engine, actor, opened } = holdfast;
    const { backupId } = await backUp();
    const { id } = await engine.rotateEncryptionKey(actor);
    await opened.prisma.encryptionKey.deleteMany({ where: { id: { not: id } } });
    expect(await restore(backupId)).toMatchObject({
      status: 'FAILED',
      error: { code: 'DECRYPTION_FAILED', hint: expect.stringContaining('open-bundle.mjs') },
      result: { targetState: 'WHOLLY_OLD' },
    });
    await expect(readPage(backupId)).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
  });
});

describe('a backup with a passphrase', () => {
  let backupId: string;
  beforeAll(async () => {
    ({ backupId } = await backUp({ mode: 'PASSPHRASE', passphrase: PASSPHRASE }));
  });

  test('is planned, read, verified and restored with it', async () => {
    const { engine, actor } = holdfast;
    const unlock = { passphrase: PASSPHRASE };
    const plan = await engine.restorePlan(actor, { ...restoreOf(backupId), unlock }, never);
    expect(plan).toMatchObject({ signer: { state: 'OWN' }, refusals: [] });
    expect(await readPage(backupId, unlock)).toHaveLength(1);
    const verified = await holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT', unlock }),
    );
    expect(verified).toMatchObject({ status: 'SUCCEEDED', result: { rowsChecked: 7 } });
    expect((await restore(backupId, { unlock, planHash: plan.hash })).status).toBe('SUCCEEDED');
  });

  test.each([
    ['no passphrase', undefined, 'unlock.passphrase'],
    ['a wrong one', { passphrase: WRONG }, ''],
  ])('and %s is refused before anything is touched', async (_what, unlock, hint) => {
    const { engine, actor } = holdfast;
    const refusal = { code: 'DECRYPTION_FAILED', hint: expect.stringContaining(hint) };
    await expect(engine.restorePlan(actor, { ...restoreOf(backupId), unlock }, never)).rejects.toMatchObject(
      refusal,
    );
    await expect(readPage(backupId, unlock)).rejects.toMatchObject(refusal);
    expect(await restore(backupId, { unlock })).toMatchObject({
      status: 'FAILED',
      error: refusal,
      result: { targetState: 'WHOLLY_OLD' },
    });
  });

  test('leaves the passphrase in no file, no log and no answer, whatever came of it', async () => {
    for (const secret of [PASSPHRASE, WRONG]) {
      expect(logged.join('\n')).not.toContain(secret);
      const files = await readdir(holdfast.directory, { recursive: true, withFileTypes: true });
      const inside = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
      expect(inside.some((file) => file.includes('catalog.sqlite'))).toBe(true);
      for (const file of inside) expect((await readFile(file)).includes(secret), file).toBe(false);
    }
    expect(logged.join('\n')).toContain('record finished');
  });
});

describe('a backup whose payload is damaged where its key is known by', () => {
  test('is certified as damaged, though it looks as if the key were another one', async () => {
    const { engine, actor } = holdfast;
    const { backupId } = await backUp();
    const { storageKey } = await holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
    const path = join(holdfast.directory, 'bundles', storageKey);
    const bytes = await readFile(path);
    const [key] = await holdfast.parts.catalog.encryptionKeys.all(actor.workspaceId);
    const { encryption } = await manifestOf(backupId);
    if (encryption.mode !== 'KEY' || key === undefined) throw new Error('it is not sealed with the key');
    const salt = bytes.indexOf('HOLDFAST') + 12 + encryption.keyId.length;
    bytes.writeUInt8(bytes.readUInt8(salt) ^ 1, salt);
    await writeFile(path, bytes);
    const verified = await holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT' }),
    );
    expect(verified).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_CHECKSUM' } });
    expect(verified.result).toMatchObject({ verdict: 'FAILED' });
    const { problems } = verified.result as { problems: { message: string }[] };
    expect(problems.map(({ message }) => message).join()).toContain('payload.zip.aesgcm');
    expect(await holdfast.opened.prisma.certificate.findFirst({ where: { backupId } })).toMatchObject({
      verdict: 'FAILED',
    });
  });
});

describe('a backup for recipients', () => {
  test('opens with the identity of any of them, and with no other', async () => {
    const { engine, actor } = holdfast;
    const identities = [
      await generateIdentity(),
      await generateIdentity(),
      await generateIdentity(),
    ] as const;
    const [first, second, other] = identities;
    const recipients = [await identityToRecipient(first), await identityToRecipient(second)];
    const { backupId, request } = await backUp({ mode: 'RECIPIENT', recipients });
    expect(request).toMatchObject({ encryption: { mode: 'RECIPIENT', recipients } });
    expect((await restore(backupId, { unlock: { identities: [second] } })).status).toBe('SUCCEEDED');
    const verified = await holdfast.finished(
      await engine.verifyBackup(actor, { backupId, level: 'CONTENT', unlock: { identities: [first] } }),
    );
    expect(verified.status).toBe('SUCCEEDED');
    for (const unlock of [undefined, { identities: [other] }]) {
      expect(await restore(backupId, { unlock })).toMatchObject({ error: { code: 'DECRYPTION_FAILED' } });
    }
    await expect(
      engine.verifyBackup(actor, {
        backupId,
        level: 'CONTENT',
        unlock: { identities: [recipients[0] ?? ''] },
      }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'unlock.identities' });
    expect(logged.join('\n')).not.toContain(second);
  });
});

describe('what cannot be sealed with', () => {
  const good = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
  test.each([
    ['a short passphrase', { mode: 'PASSPHRASE', passphrase: 'sevench' }, 'encryption.passphrase'],
    [
      'a passphrase that nobody can type',
      { mode: 'PASSPHRASE', passphrase: 'sevench\n and more' },
      'encryption.passphrase',
    ],
    ['no recipient', { mode: 'RECIPIENT', recipients: [] }, 'encryption.recipients'],
    [
      'a recipient with a typing error',
      { mode: 'RECIPIENT', recipients: [good, good.replace('ql3', 'ql4')] },
      'encryption.recipients',
    ],
    ['an identity', { mode: 'RECIPIENT', recipients: ['AGE-SECRET-KEY-1QQQ'] }, 'encryption.recipients'],
  ] as const)('%s is refused before there is a record', async (_what, encryption, field) => {
    const { engine, actor, opened } = holdfast;
    const before = await opened.prisma.record.count();
    const refused = engine.createBackup(actor, { sourceId, selection: EVERYTHING, encryption });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT', field });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringMatching(/sevench|SECRET-KEY/) });
    expect(await opened.prisma.record.count()).toBe(before);
  });
});

describe('a bundle of another instance', () => {
  async function bring(encryption?: Encryption): Promise<RecordRow & { backupId: string }> {
    const made = await backUp(encryption, bound(stranger), strangersSource);
    const { Readable } = await import('node:stream');
    const content = Readable.from([await bytesOf(stranger, made.backupId)]);
    const { engine, actor } = holdfast;
    const { id } = await engine.receiveUpload(actor, 'theirs.zip', content, never);
    const imported = await holdfast.finished(await engine.importBackup(actor, id, sourceId));
    if (imported.backupId === null) throw new Error(`import failed: ${JSON.stringify(imported.error)}`);
    return { ...imported, backupId: imported.backupId };
  }

  test('is taken in, and restored only when its signer is trusted or an owner says so', async () => {
    const { engine, actor } = holdfast;
    const { backupId, warnings } = await bring({ mode: 'NONE' });
    expect(warnings.join()).toContain(stranger.engine.signer.fingerprint);
    const foreign = { allowForeignSource: true };
    const plan = await engine.restorePlan(actor, { ...restoreOf(backupId), sourceId }, never);
    expect(plan.signer).toEqual({ state: 'UNKNOWN', ...stranger.engine.signer });
    expect(plan.warnings.join()).toContain('trustUnknownSigner');
    const refused = { status: 'FAILED', error: { code: 'INVALID_SIGNATURE' } };
    expect(await restore(backupId, foreign)).toMatchObject(refused);
    const records = await holdfast.opened.prisma.record.count();
    await expect(
      engine.restoreBackup({ ...actor, role: 'ADMIN' }, { ...restoreOf(backupId), trustUnknownSigner: true }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await holdfast.opened.prisma.record.count()).toBe(records);
    expect((await restore(backupId, { ...foreign, trustUnknownSigner: true })).status).toBe('SUCCEEDED');
    expect(await restore(backupId, foreign)).toMatchObject(refused);

    const { publicKey } = stranger.engine.signer;
    const trust = { publicKey, name: 'The other one' };
    await expect(engine.trustSigner({ ...actor, role: 'ADMIN' }, trust)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const signer = await engine.trustSigner(actor, trust);
    expect(signer).toMatchObject({ ...stranger.engine.signer, name: 'The other one' });
    expect((await restore(backupId, foreign)).status).toBe('SUCCEEDED');
    await engine.distrustSigner(actor, signer.id);
    expect(await restore(backupId, foreign)).toMatchObject(refused);
    await expect(engine.distrustSigner(actor, signer.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('that is sealed with its own key is taken in unread, and does not restore without that key', async () => {
    const { engine, actor } = holdfast;
    const { backupId, warnings, result } = await bring();
    expect(warnings.join()).toContain('not what it holds');
    expect(result).toMatchObject({ tables: 2, rows: 7 });
    expect(await restore(backupId, { allowForeignSource: true, trustUnknownSigner: true })).toMatchObject({
      status: 'FAILED',
      error: { code: 'DECRYPTION_FAILED' },
    });
    const [key] = await stranger.parts.catalog.encryptionKeys.all(stranger.actor.workspaceId);
    if (key === undefined) throw new Error('the other instance has no key');
    await holdfast.parts.catalog.encryptionKeys.adopt(actor.workspaceId, key);
    expect((await restore(backupId, { allowForeignSource: true, trustUnknownSigner: true })).status).toBe(
      'SUCCEEDED',
    );
    await engine.deleteBackup(actor, backupId);
  });

  test.each([
    ['no key', 'hello', 'publicKey'],
    ['a key that is not whole', Buffer.alloc(31).toString('base64'), 'publicKey'],
    ['our own key', '', 'publicKey'],
  ])('is not trusted by %s', async (_what, publicKey, field) => {
    const { engine, actor } = holdfast;
    const own = publicKey === '' ? engine.signer.publicKey : publicKey;
    await expect(engine.trustSigner(actor, { publicKey: own, name: 'x' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field,
    });
  });
});
