/**
 * Sealed bundles byte by byte, as somebody could make them who holds key and signing key: properly sealed and signed,
 * except where they are forged. Seals by docs/bundle-format.md, not by the code under test.
 */
import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { type Manifest, manifestSchema } from '../../../src/bundle/manifest.ts';
import { signManifest } from '../../../src/bundle/seal/manifest-signature.ts';
import type { Unlocking } from '../../../src/bundle/sealing.ts';
import {
  buildZip,
  type ForgedFile,
  type Forgery,
  honestManifest,
  type RawEntry,
  sha256,
} from '../zip-builder.ts';
import { KEY, keyUnlock, signer } from './sealed-sample.ts';

const CHUNK = 65_536;

/** The header of a KEY payload. */
export function keyHeader(keyId = 'key-1', salt: Buffer = randomBytes(32)): Buffer {
  const id = Buffer.from(keyId);
  const length = Buffer.from([id.length >> 8, id.length & 0xff]);
  const head = Buffer.concat([Buffer.from('HOLDFAST'), Buffer.from([1, 1]), length, id, salt]);
  const macKey = Buffer.from(hkdfSync('sha256', KEY, salt, 'holdfast/header/v1', 32));
  return Buffer.concat([head, createHmac('sha256', macKey).update(head).digest()]);
}

/** Chunks of a KEY payload. */
export function keyChunks(plain: Buffer, header: Buffer): Buffer[] {
  const salt = header.subarray(header.length - 64, header.length - 32);
  const key = Buffer.from(hkdfSync('sha256', KEY, salt, 'holdfast/payload/v1', 32));
  const count = Math.max(1, Math.ceil(plain.length / CHUNK));
  return Array.from({ length: count }, (_, index) => {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(index, 7);
    nonce[11] = index === count - 1 ? 1 : 0;
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const sealed = cipher.update(plain.subarray(index * CHUNK, (index + 1) * CHUNK));
    return Buffer.concat([sealed, cipher.final(), cipher.getAuthTag()]);
  });
}

const identity = await generateIdentity();
const recipient = await identityToRecipient(identity);

/** How a forged bundle is sealed. */
export interface ForgedSealing {
  readonly mode: 'KEY' | 'RECIPIENT' | 'PASSPHRASE';
  readonly unlock: Unlocking;
  readonly encryption: Readonly<Record<string, unknown>>;
  readonly entry: string;
  seal(plain: Buffer): Promise<Buffer>;
}

export const byKey: ForgedSealing = {
  mode: 'KEY',
  unlock: keyUnlock,
  encryption: { mode: 'KEY', cipher: 'AES-256-GCM', keyId: 'key-1' },
  entry: 'payload.zip.aesgcm',
  async seal(plain) {
    const header = keyHeader();
    return Buffer.concat([header, ...keyChunks(plain, header)]);
  },
};

export const byRecipient: ForgedSealing = {
  mode: 'RECIPIENT',
  unlock: { identities: [identity] },
  encryption: { mode: 'RECIPIENT', cipher: 'age', recipients: [recipient] },
  entry: 'payload.zip.age',
  async seal(plain) {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    return Buffer.from(await encrypter.encrypt(plain));
  },
};

/** Opens with a passphrase; what it seals is up to the test. */
export const byPassphrase: ForgedSealing = {
  ...byRecipient,
  mode: 'PASSPHRASE',
  unlock: { passphrase: 'horse' },
  encryption: { mode: 'PASSPHRASE', cipher: 'age', kdf: { name: 'scrypt', logN: 17 } },
};

/** What is forged; `zip`, `end` and `list` are those inside. */
export interface SealedForgery extends Omit<Forgery, 'manifest' | 'manifestBytes'> {
  readonly sealing?: ForgedSealing;
  /** Changes what is signed afterwards. */
  readonly manifest?: (manifest: Manifest) => unknown;
  /** Changes what was signed already. */
  readonly afterSigning?: (manifest: Manifest) => unknown;
  /** The inner zip, whatever it is. */
  readonly inner?: (zip: Buffer) => Buffer;
  readonly payload?: (payload: Buffer) => Buffer;
  readonly cover?: (entries: readonly RawEntry[]) => readonly RawEntry[];
  readonly coverEnd?: Forgery['end'];
}

const SALT = JSON.stringify({ kind: 'SALT', value: '5'.repeat(64) });

/** A sealed bundle in which all fits together, except where it is forged. */
export async function forgeSealed(
  files: readonly ForgedFile[],
  forgery: SealedForgery = {},
): Promise<Buffer> {
  const { sealing = byKey } = forgery;
  const lines = [SALT, ...files.map(({ record }) => JSON.stringify(record))];
  const list = Buffer.from((forgery.list?.(lines) ?? lines).map((line) => `${line}\n`).join(''));
  const inside: RawEntry[] = [
    ...files.map(({ record, zip }) => ({ name: record.entry, ...zip })),
    { name: 'entries.ndjson', content: list },
  ];
  const zip = buildZip(forgery.zip?.(inside) ?? inside, forgery.end);
  const sealed = await sealing.seal(forgery.inner?.(zip) ?? zip);
  const payload = forgery.payload?.(sealed) ?? sealed;
  const described = { entry: sealing.entry, bytes: payload.length, sha256: sha256(payload) };
  const honest = manifestSchema.parse({
    ...honestManifest(forgery.listSha256 ?? sha256(list)),
    encryption: { ...sealing.encryption, payload: described },
  });
  // Whatever it was made into, it is signed as if it were a manifest.
  const { signature: _none, ...unsigned } = (forgery.manifest?.(honest) ?? honest) as Manifest;
  const signed = signManifest(unsigned, signer);
  const manifest = Buffer.from(JSON.stringify(forgery.afterSigning?.(signed) ?? signed));
  const entries: RawEntry[] = [
    { name: sealing.entry, content: payload, stored: true },
    { name: 'RESTORE.md', content: Buffer.from('how to') },
    { name: 'manifest.json', content: manifest },
  ];
  return buildZip(forgery.cover?.(entries) ?? entries, forgery.coverEnd);
}
