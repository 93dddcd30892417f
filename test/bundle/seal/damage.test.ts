import { hash } from 'node:crypto';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Sealing, Unlocking } from '../../../src/bundle/sealing.ts';
import { HoldfastError } from '../../../src/errors.ts';
import { never } from '../sample-bundle.ts';
import { coverOf, replacePayload, splitBundle } from './cover.ts';
import { contentOf, keySealing, keyUnlock, openSealed, sealedBundle } from './sealed-sample.ts';

const SEALED_CHUNK = 65_536 + 16;
const identity = await generateIdentity();
const recipient: Sealing = { mode: 'RECIPIENT', recipients: [await identityToRecipient(identity)] };

/** Opens and reads everything; the code of what it fails with. */
async function codeOf(bundle: Buffer, unlock?: Unlocking): Promise<string> {
  try {
    const reader = await openSealed(bundle, { unlock });
    if (!reader.locked) await contentOf(reader);
    await reader.verifyContent(() => {}, never);
    return 'nothing';
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}

/** Header and chunks of a payload. */
function chunksOf(payload: Buffer): { header: Buffer; chunks: Buffer[] } {
  const start =
    payload[0] === 'a'.charCodeAt(0) ? payload.indexOf('\n--- ') + 5 + 43 + 1 + 16 : 12 + 5 + 32 + 32;
  const chunks: Buffer[] = [];
  for (let at = start; at < payload.length; at += SEALED_CHUNK)
    chunks.push(payload.subarray(at, at + SEALED_CHUNK));
  return { header: payload.subarray(0, start), chunks };
}

describe.each([
  ['AES-256-GCM', keySealing, keyUnlock],
  ['age', recipient, { identities: [identity] }],
] as const)('a payload of %s', (_name, sealing, unlock) => {
  let bundle: Buffer;
  let header: Buffer;
  let chunks: Buffer[];
  // Each forgery is the best that can be made without the key: unsigned, with a cover that fits.
  const forge = (payload: readonly Buffer[]) => replacePayload(bundle, Buffer.concat(payload));
  beforeAll(async () => {
    bundle = await sealedBundle(sealing, undefined, false);
    ({ header, chunks } = chunksOf(splitBundle(bundle).payload));
    expect(chunks.length).toBeGreaterThan(3);
  });

  test('opens as it is, also in a cover made anew', async () => {
    expect(await codeOf(bundle, unlock)).toBe('nothing');
    expect(await codeOf(forge([header, ...chunks]), unlock)).toBe('nothing');
  });

  test('is refused when it is cut short, wherever', async () => {
    for (let kept = 0; kept < chunks.length; kept++) {
      const some = chunks.slice(0, kept);
      for (const rest of [0, 1, 15, 16, 17, 40_000]) {
        const next = chunks[kept]?.subarray(0, rest) ?? Buffer.alloc(0);
        if (next.length === chunks[kept]?.length) continue;
        expect(await codeOf(forge([header, ...some, next]), unlock)).toBe('INVALID_CHECKSUM');
      }
    }
    for (const rest of [0, 1, header.length - 1]) {
      expect(await codeOf(forge([header.subarray(0, rest)]), unlock)).toBe('INVALID_CHECKSUM');
    }
  });

  test('is refused when chunks are moved, doubled, left out or added', async () => {
    const [one = header, two = header, ...rest] = chunks;
    const last = rest.at(-1) ?? header;
    for (const others of [
      [two, one, ...rest],
      [one, one, two, ...rest],
      [one, one, ...rest],
      [one, ...rest],
      [one, two, ...rest, last],
      [one, two, ...rest, Buffer.alloc(16)],
      [one, two, ...rest, Buffer.alloc(100)],
      [last],
    ]) {
      expect(await codeOf(forge([header, ...others]), unlock)).toBe('INVALID_CHECKSUM');
    }
  });

  test('is refused when a chunk comes from another bundle', async () => {
    const other = chunksOf(splitBundle(await sealedBundle(sealing, undefined, false)).payload);
    const mixed = [chunks[0] ?? header, other.chunks[1] ?? header, ...chunks.slice(2)];
    expect(await codeOf(forge([header, ...mixed]), unlock)).toBe('INVALID_CHECKSUM');
    expect(await codeOf(forge([other.header, ...chunks]), unlock)).toBe('INVALID_CHECKSUM');
  });

  test('is refused when a bit of it differs, with a key and without', async () => {
    const payload = Buffer.concat([header, ...chunks]);
    for (let at = 0; at < payload.length; at += at < header.length ? 1 : 9973) {
      const flipped = Buffer.from(payload);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      // Without the signature a cover that fits can be made, so it is up to the payload itself.
      if (at >= header.length) expect(await codeOf(forge([flipped]), unlock)).toBe('INVALID_CHECKSUM');
      else if (sealing.mode === 'KEY') {
        expect(['INVALID_CHECKSUM', 'DECRYPTION_FAILED']).toContain(await codeOf(forge([flipped]), unlock));
      }
      // With the cover as it was, its CRC and SHA-256 tell.
      const asItWas = Buffer.from(bundle);
      flipped.copy(asItWas, splitBundle(bundle).start);
      if (at % 3 === 0) expect(await codeOf(asItWas)).toBe('INVALID_CHECKSUM');
    }
  });
});

describe('a manifest', () => {
  test('that was changed after it was signed is refused before anything else', async () => {
    const bundle = await sealedBundle(keySealing);
    const { manifest, payload } = splitBundle(bundle);
    const changed = { ...manifest, createdBy: 'somebody else' };
    expect(await codeOf(coverOf(payload, changed))).toBe('INVALID_SIGNATURE');
    const { signature } = manifest;
    if (signature === null) throw new Error('not signed');
    for (const forged of [
      { ...signature, fingerprint: hash('sha256', 'x') },
      { ...signature, publicKey: Buffer.alloc(32).toString('base64') },
      { ...signature, value: Buffer.alloc(64).toString('base64') },
    ]) {
      const other = { ...manifest, signature: forged };
      expect(await codeOf(coverOf(payload, other))).toBe('INVALID_SIGNATURE');
    }
  });

  test('does not go with the payload of another bundle', async () => {
    const [one, two] = [await sealedBundle(keySealing), await sealedBundle(keySealing)];
    const { manifest, payload } = splitBundle(one);
    const other = splitBundle(two);
    // As it was signed, over another payload; nothing but the zip round it is made anew.
    expect(await codeOf(coverOf(other.payload, manifest), keyUnlock)).toBe('INVALID_CHECKSUM');
    expect(await codeOf(coverOf(other.payload, manifest))).toBe('INVALID_CHECKSUM');
    // And the best that can be done without the signer's key: the list of another one, and no signature.
    const { entriesSha256 } = other.manifest;
    expect(await codeOf(coverOf(payload, { ...manifest, entriesSha256, signature: null }), keyUnlock)).toBe(
      'INVALID_CHECKSUM',
    );
  });

  test('gives nothing to guess from: the same rows look different each time', async () => {
    const [one, two] = [await sealedBundle(keySealing), await sealedBundle(keySealing)].map(splitBundle);
    expect(one?.manifest.entriesSha256).not.toBe(two?.manifest.entriesSha256);
    const digests = JSON.stringify(one?.manifest).match(/[0-9a-f]{32,}/g) ?? [];
    const known = [
      one?.manifest.database?.schemaFingerprint,
      one?.manifest.entriesSha256,
      one?.manifest.encryption.mode === 'KEY' && one.manifest.encryption.payload.sha256,
      one?.manifest.signature?.fingerprint,
    ];
    expect(digests.filter((digest) => !known.includes(digest))).toEqual([]);
  });
});
