/** The signature of a manifest: Ed25519 over its canonical JSON without the signature itself. */
import { createPublicKey, hash, verify } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { ManifestSignature, ManifestSigner } from '../sealing.ts';
import { canonicalJson } from './canonical-json.ts';

/** RFC 8410: what stands before the 32 bytes of an Ed25519 public key in SPKI. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The manifest with its signature, or with `null` for want of a signer. */
export function signManifest(
  unsigned: Omit<Manifest, 'signature'>,
  signer: ManifestSigner | undefined,
): Manifest {
  if (signer === undefined) return { ...unsigned, signature: null };
  const { publicKey } = signer;
  const signature = {
    algorithm: 'Ed25519' as const,
    publicKey: publicKey.toString('base64'),
    fingerprint: hash('sha256', publicKey),
    value: signer.sign(canonicalJson(unsigned)).toString('base64'),
  };
  return { ...unsigned, signature };
}

/** Who signed a manifest. @throws INVALID_SIGNATURE when it is not what was signed */
export function checkSignature(manifest: Manifest): ManifestSignature {
  const { signature, ...unsigned } = manifest;
  if (signature === null) return { state: 'UNSIGNED' };
  const { publicKey, fingerprint, value } = signature;
  const rawKey = Buffer.from(publicKey, 'base64');
  const valid =
    // Base64 has several texts for one key; its unused bits are for nobody to play with.
    rawKey.toString('base64') === publicKey &&
    hash('sha256', rawKey) === fingerprint &&
    isSignedBy(rawKey, canonicalJson(unsigned), Buffer.from(value, 'base64'));
  if (!valid) {
    throw new HoldfastError('INVALID_SIGNATURE', 'The manifest of the bundle is not what was signed.', {
      hint: 'It was changed or damaged after it was made. Fetch the bundle again, or restore from another one.',
    });
  }
  return { state: 'SIGNED', fingerprint, publicKey };
}

function isSignedBy(rawKey: Buffer, message: Buffer, signature: Buffer): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, rawKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}
