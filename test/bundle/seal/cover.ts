/** Sealed bundles taken apart and put together again, as somebody could who has no key. */
import { inflateRawSync } from 'node:zlib';
import { type Manifest, manifestSchema } from '../../../src/bundle/manifest.ts';
import { buildZip, sha256 } from '../zip-builder.ts';

/** Of a sealed bundle: where its payload begins, the payload, and the manifest. */
export interface Split {
  readonly start: number;
  readonly payload: Buffer;
  readonly manifest: Manifest;
}

/** Takes a small sealed bundle apart. */
export function splitBundle(bundle: Buffer): Split {
  const record = bundle.lastIndexOf('manifest.json') - 46;
  const offset = bundle.readUInt32LE(record + 42);
  const start = offset + 30 + 'manifest.json'.length;
  const stored = bundle.subarray(start, start + bundle.readUInt32LE(record + 20));
  const json = bundle.readUInt16LE(record + 10) === 0 ? stored : inflateRawSync(stored);
  const manifest = manifestSchema.parse(JSON.parse(json.toString()));
  if (manifest.encryption.mode === 'NONE') throw new Error('the bundle is not sealed');
  const payloadStart = 30 + bundle.readUInt16LE(26);
  const payload = bundle.subarray(payloadStart, payloadStart + manifest.encryption.payload.bytes);
  return { start: payloadStart, payload, manifest };
}

/** Puts a bundle together, with a zip that fits. */
export function coverOf(payload: Buffer, manifest: Manifest): Buffer {
  const { encryption } = manifest;
  if (encryption.mode === 'NONE') throw new Error('the bundle is not sealed');
  return buildZip([
    { name: encryption.payload.entry, content: payload, stored: true },
    { name: 'RESTORE.md', content: Buffer.from('how to') },
    { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

/** Another payload in the place of a bundle's own, and a manifest without signature that says so. */
export function replacePayload(bundle: Buffer, payload: Buffer): Buffer {
  const { manifest } = splitBundle(bundle);
  const { encryption } = manifest;
  if (encryption.mode === 'NONE') throw new Error('the bundle is not sealed');
  const described = { ...encryption.payload, bytes: payload.length, sha256: sha256(payload) };
  return coverOf(payload, {
    ...manifest,
    encryption: { ...encryption, payload: described },
    signature: null,
  });
}
