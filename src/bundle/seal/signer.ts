/** Ed25519 keys that sign manifests. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { ManifestSigner } from '../sealing.ts';

/** RFC 8410: what stands before the 32 bytes of an Ed25519 private key in PKCS #8. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Of a public key in SPKI, its last bytes are the key. */
const PUBLIC_KEY_BYTES = 32;

/** The signer of a secret seed of 32 bytes; the same for the same seed. */
export function seededSigner(seed: Buffer): ManifestSigner {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    publicKey: spki.subarray(spki.length - PUBLIC_KEY_BYTES),
    sign: (message) => sign(null, message, key),
  };
}
