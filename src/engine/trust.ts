/** Who signed a bundle, and whether that is trusted here. The signature itself was checked by the reader. */
import { createHash } from 'node:crypto';
import type { ManifestSignature } from '../bundle/sealing.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor, BundleSigner, InstanceSigner } from './engine.ts';
import type { EngineParts } from './parts.ts';

/** SHA-256 of a raw public key, hexadecimal. */
export function fingerprintOf(publicKey: Buffer): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/** The signer of this instance. */
export function instanceSigner({ signer }: EngineParts): InstanceSigner {
  return { fingerprint: fingerprintOf(signer.publicKey), publicKey: signer.publicKey.toString('base64') };
}

/** Who signed, as the workspace sees them. */
export async function signerOf(
  parts: EngineParts,
  workspaceId: string,
  signature: ManifestSignature,
): Promise<BundleSigner> {
  if (signature.state === 'UNSIGNED') return { state: 'UNSIGNED', fingerprint: null, publicKey: null };
  const { fingerprint, publicKey } = signature;
  if (fingerprint === instanceSigner(parts).fingerprint) return { state: 'OWN', fingerprint, publicKey };
  const trusted = await parts.catalog.trustedSigners.find(workspaceId, fingerprint);
  return { state: trusted === undefined ? 'UNKNOWN' : 'TRUSTED', fingerprint, publicKey };
}

/** Why the bundle is not restored unless an owner says so; undefined when its signer is trusted. */
export function whyNotTrusted({ state, fingerprint }: BundleSigner): string | undefined {
  if (state === 'UNSIGNED') return 'The bundle is not signed: nobody vouches for what it holds.';
  if (state === 'UNKNOWN') return `The bundle was signed by ${fingerprint}, a key that is not trusted here.`;
  return undefined;
}

/** What can be done about it. */
export function howToTrust({ state }: BundleSigner): string {
  const alone = 'set trustUnknownSigner, which an OWNER alone may, to restore this bundle as it is';
  return state === 'UNKNOWN'
    ? `Compare the fingerprint with the one that the instance it came from shows, and trust that signer; or ${alone}.`
    : `If you know where it comes from, ${alone}.`;
}

/** @throws HoldfastError INVALID_SIGNATURE */
export function requireTrust(signer: BundleSigner, trustUnknownSigner: boolean): void {
  const reason = whyNotTrusted(signer);
  if (reason === undefined || trustUnknownSigner) return;
  throw new HoldfastError('INVALID_SIGNATURE', `${reason} Nothing was changed.`, {
    hint: howToTrust(signer),
  });
}

/** @throws HoldfastError FORBIDDEN */
export function requireOwner(actor: Actor, what: string): void {
  if (actor.role === 'OWNER') return;
  throw new HoldfastError('FORBIDDEN', `The role ${actor.role} does not allow ${what}.`, {
    hint: 'Ask an owner of the workspace.',
  });
}
