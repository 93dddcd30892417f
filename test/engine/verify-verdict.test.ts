/** What a verification may say of a bundle that it cannot look into. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keyHeaderBytes } from '../../src/bundle/seal/key-payload.ts';
import { HoldfastError } from '../../src/errors.ts';
import { TestEngine } from '../support/engine.ts';
import { sqliteApplication } from '../support/engine-application.ts';

const PAYLOAD = 'payload.zip.aesgcm';

let holdfast: TestEngine;
let sourceId: string;
let backupId: string;
/** Whether bundles seem to be of a newer format. */
let tooNew = false;

beforeAll(async () => {
  holdfast = await TestEngine.start(({ bundles }) => ({
    bundles: {
      createWriter: (options) => bundles.createWriter(options),
      async openReader(file, signal, options) {
        if (tooNew) throw new HoldfastError('FORMAT_TOO_NEW', 'The bundle is of format 2.');
        return await bundles.openReader(file, signal, options);
      },
    },
  }));
  const application = await sqliteApplication(join(holdfast.root, 'app'));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
});
beforeEach(async () => {
  tooNew = false;
  backupId = (await holdfast.backUp(sourceId)).backupId;
});
afterAll(() => holdfast.remove());

const verify = async () =>
  await holdfast.finished(await holdfast.engine.verifyBackup(holdfast.actor, { backupId, level: 'CONTENT' }));
const row = () => holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });

test('damage where the key is recognised by fails the backup, though nobody can tell it from another key', async () => {
  expect((await verify()).status).toBe('SUCCEEDED');
  const { storageKey, manifest } = await row();
  const path = join(holdfast.directory, 'bundles', storageKey);
  const bytes = await readFile(path);
  // The local header of a zip, and the name of its first entry.
  const payload = 30 + PAYLOAD.length;
  expect(bytes.toString('latin1', 30, payload)).toBe(PAYLOAD);
  const { encryption } = manifest as unknown as { encryption: { keyId: string } };
  const last = payload + keyHeaderBytes(bytes.subarray(payload), PAYLOAD, encryption.keyId) - 1;
  bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
  await writeFile(path, bytes);
  const record = await verify();
  expect(record).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_CHECKSUM' } });
  expect(record.result).toMatchObject({
    verdict: 'FAILED',
    problems: [
      { message: expect.stringContaining('SHA-256') },
      { message: expect.stringContaining('does not open with the key') },
    ],
  });
  expect(await row()).toMatchObject({ lastVerdict: 'FAILED' });
});

test('a bundle that only a newer Holdfast reads gets no verdict, so that no rotation takes it for a bad one', async () => {
  expect((await verify()).status).toBe('SUCCEEDED');
  tooNew = true;
  expect(await verify()).toMatchObject({ status: 'FAILED', error: { code: 'FORMAT_TOO_NEW' } });
  expect(await row()).toMatchObject({ lastVerdict: 'PASSED' });
});
