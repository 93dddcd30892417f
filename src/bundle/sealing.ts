/**
 * The words for sealed and signed bundles: what a writer is told to seal and sign with, and what a reader may
 * open with. The bytes are described in docs/bundle-format.md; the formats live in seal/.
 */

/** The ways a bundle can be sealed; exactly one is chosen. */
export type SealMode = 'NONE' | 'KEY' | 'PASSPHRASE' | 'RECIPIENT';

/** With what a bundle is sealed. */
export type Sealing =
  | { readonly mode: 'NONE' }
  /** AES-256-GCM under a key that this instance keeps. `key` has 32 bytes. */
  | { readonly mode: 'KEY'; readonly keyId: string; readonly key: Buffer }
  /** The age format, under a key that scrypt makes of the passphrase. */
  | { readonly mode: 'PASSPHRASE'; readonly passphrase: string }
  /** The age format, for everybody who holds one of the identities: `age1…`. */
  | { readonly mode: 'RECIPIENT'; readonly recipients: readonly string[] };

/** What opens a sealed bundle. Without anything that fits, its manifest can be read and nothing else. */
export interface Unlocking {
  /** The key with which a bundle of mode KEY was sealed; undefined when it is not held here. */
  key?(keyId: string): Promise<Buffer | undefined>;
  readonly passphrase?: string | undefined;
  /** `AGE-SECRET-KEY-1…` */
  readonly identities?: readonly string[] | undefined;
}

/** Signs manifests with Ed25519. */
export interface ManifestSigner {
  /** The raw public key, 32 bytes. */
  readonly publicKey: Buffer;
  /** The signature, 64 bytes. */
  sign(message: Buffer): Buffer;
}

/**
 * Who signed a manifest. The signature itself was checked when the bundle was opened, so a fingerprint here means
 * that the holder of that key wrote the manifest; whether the key is trusted is for the engine to say.
 */
export type ManifestSignature =
  | { readonly state: 'UNSIGNED' }
  /** `fingerprint` is the SHA-256 of the raw public key, hexadecimal; `publicKey` is base64. */
  | { readonly state: 'SIGNED'; readonly fingerprint: string; readonly publicKey: string };
