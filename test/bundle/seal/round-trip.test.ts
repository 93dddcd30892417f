import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { seededSigner } from '../../../src/bundle/seal/signer.ts';
import type { Sealing, Unlocking } from '../../../src/bundle/sealing.ts';
import { bytesOf, listEntries, never, openBundle, writeBundle } from '../sample-bundle.ts';
import { contentOf, KEY, keySealing, keyUnlock, openSealed, sample, sealedBundle } from './sealed-sample.ts';

const identity = await generateIdentity();
const other = await generateIdentity();
const recipients = [await identityToRecipient(other), await identityToRecipient(identity)];

/** How to seal, what opens it, and what does not. */
const modes: readonly (readonly [Sealing, Unlocking, Unlocking])[] = [
  [keySealing, keyUnlock, { key: async () => Buffer.alloc(32, 1) }],
  [{ mode: 'PASSPHRASE', passphrase: 'correct horse' }, { passphrase: 'correct horse' }, { passphrase: 'x' }],
  [{ mode: 'RECIPIENT', recipients }, { identities: [identity] }, { identities: [await generateIdentity()] }],
];

describe.each(modes.map((mode) => [mode[0].mode, ...mode] as const))(
  'a bundle sealed by %s',
  (mode, sealing, unlock, wrong) => {
    let bundle: Buffer;
    beforeAll(async () => {
      bundle = await sealedBundle(sealing);
    });

    test('opens with what it was sealed for, and holds what went in', async () => {
      const plain = await openBundle(await writeBundle(sample));
      const reader = await openSealed(bundle, { unlock });
      expect(reader.locked).toBe(false);
      expect(await contentOf(reader)).toEqual(await contentOf(plain));
      expect(await listEntries(reader)).toEqual(await listEntries(plain));
      const [table] = reader.manifest.database?.tables ?? [];
      if (table === undefined) throw new Error('no table');
      const page = await bytesOf(reader.readRows(table, { from: 48, count: 5 }, never));
      expect(page.toString()).toBe('{"id":48,"text":"row number 48"}\n{"id":49,"text":"row number 49"}\n');
      expect(await reader.verifyContent(() => {}, never)).toEqual(await plain.verifyContent(() => {}, never));
    });

    test('does not open with something else', async () => {
      await expect(openSealed(bundle, { unlock: wrong })).rejects.toMatchObject({
        code: 'DECRYPTION_FAILED',
      });
    });

    test('shows its manifest and nothing else without a key', async () => {
      const reader = await openSealed(bundle, { unlock: { key: async () => undefined } });
      expect(reader.locked).toBe(true);
      expect(reader.manifest.encryption).toMatchObject({ mode });
      expect(reader.signature).toMatchObject({ state: 'SIGNED' });
      const refusal = { code: 'DECRYPTION_FAILED', hint: expect.stringContaining('Give ') };
      const [table] = reader.manifest.database?.tables ?? [];
      if (table === undefined) throw new Error('no table');
      await expect(listEntries(reader)).rejects.toMatchObject(refusal);
      await expect(bytesOf(reader.readTable(table, never))).rejects.toMatchObject(refusal);
      await expect(reader.readSchema(never)).rejects.toMatchObject(refusal);
      const report = await reader.verifyContent(() => {}, never);
      expect(report).toMatchObject({ contentChecked: false, rows: 0, files: 0 });
    });
  },
);

test('every payload has a key of its own, though the kept key is the same', async () => {
  const [one, two] = [await sealedBundle(keySealing), await sealedBundle(keySealing)];
  const payload = (bundle: Buffer) => bundle.subarray(300, 300 + 4096).toString('hex');
  expect(payload(one)).not.toBe(payload(two));
  expect(one.includes(KEY)).toBe(false);
});

test('who signed is told, with the fingerprint', async () => {
  const bundle = await writeBundle(sample, undefined, undefined, {
    signer: seededSigner(Buffer.alloc(32, 9)),
  });
  const reader = await openBundle(bundle);
  expect(reader.signature).toEqual({
    state: 'SIGNED',
    fingerprint: reader.manifest.signature?.fingerprint,
    publicKey: seededSigner(Buffer.alloc(32, 9)).publicKey.toString('base64'),
  });
  expect((await openBundle(await writeBundle(sample))).signature).toEqual({ state: 'UNSIGNED' });
});
