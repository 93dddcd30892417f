import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededSigner } from '../../src/bundle/seal/signer.ts';
import type { Encryption } from '../../src/engine/engine.ts';
import { EVERYTHING, TestEngine } from '../support/engine.ts';
import { sqliteApplication } from '../support/engine-application.ts';

const never = new AbortController().signal;

let holdfast: TestEngine;
/** Another instance, with keys of its own. */
let stranger: TestEngine;

beforeAll(async () => {
  holdfast = await TestEngine.start();
  stranger = await TestEngine.start(() => ({ signer: seededSigner(Buffer.alloc(32, 9)) }));
});
afterAll(async () => {
  await holdfast.remove();
  await stranger.remove();
});

/** The bytes of a new backup of an instance. */
async function bundleOf(
  instance: TestEngine,
  encryption: Encryption,
): Promise<{ backupId: string; bytes: Buffer }> {
  const name = `app-${Math.random().toString(36).slice(2)}`;
  const { definition } = await sqliteApplication(join(instance.root, name));
  const { engine, actor } = instance;
  const source = await engine.createSource(actor, { ...definition, name });
  const record = await instance.finished(
    await engine.createBackup(actor, { sourceId: source.id, selection: EVERYTHING, encryption }),
  );
  const { id, storageKey } = await instance.opened.prisma.backup.findUniqueOrThrow({
    where: { id: record.backupId ?? '' },
  });
  return { backupId: id, bytes: await readFile(join(instance.directory, 'bundles', storageKey)) };
}

async function inspectUpload(bytes: Buffer) {
  const { engine, actor } = holdfast;
  const { id } = await engine.receiveUpload(actor, 'found.zip', Readable.from([bytes]), never);
  return await engine.inspectBundle(actor, { uploadId: id }, never);
}

test('a backup of this instance tells its manifest and that this instance signed it', async () => {
  const { backupId, bytes } = await bundleOf(holdfast, { mode: 'KEY' });
  expect(await holdfast.engine.inspectBundle(holdfast.actor, { backupId }, never)).toMatchObject({
    name: expect.stringMatching(/\.zip$/),
    sizeBytes: bytes.length,
    signer: { state: 'OWN' },
    manifest: { encryption: { mode: 'KEY' }, database: { tables: [{ name: 'author' }, { name: 'book' }] } },
  });
});

test('an upload sealed by somebody else is told without a key; its signer is known once he is trusted', async () => {
  const { bytes } = await bundleOf(stranger, { mode: 'KEY' });
  const found = await inspectUpload(bytes);
  expect(found).toMatchObject({
    name: 'found.zip',
    sizeBytes: bytes.length,
    signer: { state: 'UNKNOWN' },
    manifest: { encryption: { mode: 'KEY' } },
  });
  const { publicKey } = found.signer;
  await holdfast.engine.trustSigner(holdfast.actor, { publicKey: publicKey ?? '', name: 'the other' });
  expect((await inspectUpload(bytes)).signer.state).toBe('TRUSTED');
});

test('a passphrase is not needed to be told that one is', async () => {
  const { bytes } = await bundleOf(holdfast, { mode: 'PASSPHRASE', passphrase: 'correct-horse-battery' });
  expect((await inspectUpload(bytes)).manifest.encryption).toMatchObject({ mode: 'PASSPHRASE' });
});

test('what is damaged is told as such, and so is what is no bundle', async () => {
  const { bytes } = await bundleOf(holdfast, { mode: 'NONE' });
  await expect(inspectUpload(bytes.subarray(0, bytes.length - 100))).rejects.toMatchObject({
    code: 'INVALID_MANIFEST',
  });
  await expect(inspectUpload(Buffer.from('hello'))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
});

test('what belongs to nobody here is not found', async () => {
  const { engine, actor } = holdfast;
  const { backupId } = await bundleOf(stranger, { mode: 'NONE' });
  await expect(engine.inspectBundle(actor, { backupId }, never)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(engine.inspectBundle(actor, { uploadId: 'none' }, never)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});
