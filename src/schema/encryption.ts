/** How bundles are sealed and signed: what callers give, and what is told of a bundle. */
import type { ManifestEncryption } from '../bundle/manifest.ts';
import type { BundleSigner, Encryption, Unlock } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';

const EncryptionModeEnum = builder.enumType('EncryptionMode', {
  description: 'How a bundle is sealed. Its manifest stays readable whatever the mode.',
  values: {
    NONE: { description: 'Not at all: whoever has the bundle can read it.' },
    KEY: { description: 'With a key that Holdfast keeps: nothing has to be given to restore here.' },
    PASSPHRASE: { description: 'With a passphrase, in the age format. Holdfast does not keep it.' },
    RECIPIENT: {
      description: 'For the holders of age identities, whose recipients are named. Holdfast cannot open it.',
    },
  } as const,
});

export const EncryptionInput = builder.inputType('EncryptionInput', {
  description: 'How to seal a backup: a mode, and exactly what that mode needs.',
  fields: (t) => ({
    mode: t.field({ type: EncryptionModeEnum, required: true, description: 'The mode.' }),
    passphrase: t.string({
      description: 'PASSPHRASE needs it: 8 to 1024 characters. It is written down nowhere; keep it well.',
    }),
    recipients: t.stringList({ description: 'RECIPIENT needs them: 1 to 20, as `age1…`.' }),
  }),
});

export const UnlockInput = builder.inputType('UnlockInput', {
  description:
    'What opens a sealed bundle. Bundles of mode KEY need nothing. Put secrets into variables, not into the operation; they are written down nowhere.',
  fields: (t) => ({
    passphrase: t.string({ description: 'Of a bundle of mode PASSPHRASE.' }),
    identities: t.stringList({
      description: 'Of a bundle of mode RECIPIENT: one or more age identities, as `AGE-SECRET-KEY-1…`.',
    }),
  }),
});

function invalid(field: string, rule: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `encryption.${field}: ${rule}`, { field: `encryption.${field}` });
}

/** The encryption as the engine wants it. @throws {HoldfastError} INVALID_INPUT unless it has what its mode needs */
export function encryptionOf(
  input: typeof EncryptionInput.$inferInput | null | undefined,
): Encryption | undefined {
  if (!input) return undefined;
  const { mode, passphrase, recipients } = input;
  if (passphrase != null && mode !== 'PASSPHRASE') {
    throw invalid('passphrase', `the mode ${mode} takes no passphrase.`);
  }
  if (recipients != null && mode !== 'RECIPIENT') {
    throw invalid('recipients', `the mode ${mode} takes no recipients.`);
  }
  if (mode === 'PASSPHRASE') {
    if (passphrase == null) throw invalid('passphrase', 'the mode PASSPHRASE needs it.');
    return { mode, passphrase };
  }
  if (mode === 'RECIPIENT') {
    if (recipients == null) throw invalid('recipients', 'the mode RECIPIENT needs them.');
    return { mode, recipients };
  }
  return { mode };
}

/** What opens a bundle, as the engine wants it. */
export function unlockOf(input: typeof UnlockInput.$inferInput | null | undefined): Unlock | undefined {
  return input
    ? { passphrase: input.passphrase ?? undefined, identities: input.identities ?? undefined }
    : undefined;
}

const KdfType = builder.objectRef<{ name: string; logN: number }>('KeyDerivation').implement({
  description: 'How the key of a bundle is made of its passphrase.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The function: scrypt.' }),
    logN: t.exposeInt('logN', { description: "Its work factor: the base-2 logarithm of scrypt's N." }),
  }),
});

export const BundleEncryptionType = builder.objectRef<ManifestEncryption>('BundleEncryption').implement({
  description: 'How a bundle is sealed, as its manifest says.',
  fields: (t) => ({
    mode: t.expose('mode', { type: EncryptionModeEnum, description: 'The mode.' }),
    cipher: t.string({
      nullable: true,
      description: 'The format of the sealed part: AES-256-GCM or age; null when nothing is sealed.',
      resolve: (encryption) => ('cipher' in encryption ? encryption.cipher : null),
    }),
    key: t.string({
      nullable: true,
      description: 'Of mode KEY, the id of its key, as `encryptionKeys` lists those that are kept here.',
      resolve: (encryption) => (encryption.mode === 'KEY' ? encryption.keyId : null),
    }),
    recipients: t.stringList({
      description: 'Of mode RECIPIENT, for whom it is sealed; else empty.',
      resolve: (encryption) => (encryption.mode === 'RECIPIENT' ? encryption.recipients : []),
    }),
    kdf: t.field({
      type: KdfType,
      nullable: true,
      description: 'Of mode PASSPHRASE, how its key is made; else null.',
      resolve: (encryption) => (encryption.mode === 'PASSPHRASE' ? encryption.kdf : null),
    }),
  }),
});

const SignerStateEnum = builder.enumType('SignerState', {
  description: 'How the signer of a bundle is known here.',
  values: {
    OWN: { description: 'This instance signed it.' },
    TRUSTED: { description: 'Another instance signed it, which the workspace trusts.' },
    UNKNOWN: { description: 'Somebody signed it whom nobody here trusts.' },
    UNSIGNED: { description: 'Nobody signed it.' },
  } as const,
});

export const BundleSignatureType = builder.objectRef<BundleSigner>('BundleSignature').implement({
  description:
    'Who signed a bundle, checked when it was taken in. Restoring needs OWN or TRUSTED, unless an OWNER sets trustUnknownSigner.',
  fields: (t) => ({
    state: t.expose('state', { type: SignerStateEnum, description: 'How the signer is known here.' }),
    fingerprint: t.exposeString('fingerprint', {
      nullable: true,
      description: 'SHA-256 of the public key, hexadecimal; null when unsigned.',
    }),
    publicKey: t.exposeString('publicKey', {
      nullable: true,
      description: 'The Ed25519 public key, base64, as trustSigner takes it; null when unsigned.',
    }),
  }),
});
