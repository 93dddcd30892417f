/** The keys and signers of a workspace: rotateEncryptionKey, trustSigner, distrustSigner. */
import type { TrustedSignerRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor, EncryptionKey, RotateEncryptionKeyRequest, TrustSignerRequest } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { fingerprintOf, instanceSigner, requireOwner } from './trust.ts';

/** Ed25519. */
const PUBLIC_KEY_BYTES = 32;
const LONGEST_NAME = 100;

/** Retires the key that seals and makes the next; bundles of the old one stay readable. @throws FORBIDDEN, INVALID_INPUT */
export async function rotateEncryptionKey(
  parts: EngineParts,
  actor: Actor,
  { replaces }: RotateEncryptionKeyRequest = {},
): Promise<EncryptionKey> {
  requireOwner(actor, 'rotateEncryptionKey');
  const { encryptionKeys } = parts.catalog;
  if (replaces !== undefined && replaces !== (await encryptionKeys.active(actor.workspaceId)).id) {
    throw new HoldfastError('INVALID_INPUT', 'replaces: this is not the key that seals now.', {
      field: 'replaces',
      hint: 'It may have been rotated already: look at encryptionKeys.',
    });
  }
  const { id, createdAt, retiredAt } = await encryptionKeys.rotate(actor.workspaceId, parts.now());
  parts.log.info({ keyId: id, by: actor.name }, 'the encryption key was rotated');
  return { id, createdAt, retiredAt };
}

/** Trusts what another instance signs. @throws HoldfastError FORBIDDEN, INVALID_INPUT */
export async function trustSigner(
  parts: EngineParts,
  actor: Actor,
  request: TrustSignerRequest,
): Promise<TrustedSignerRow> {
  requireOwner(actor, 'trustSigner');
  const publicKey = Buffer.from(request.publicKey, 'base64');
  // Decoding skips what is no base64; only what it makes again is a key as it was shown.
  if (publicKey.length !== PUBLIC_KEY_BYTES || publicKey.toString('base64') !== request.publicKey) {
    throw new HoldfastError('INVALID_INPUT', 'publicKey is no Ed25519 key: 32 bytes in base64.', {
      field: 'publicKey',
      hint: 'Pass it exactly as settings.signer of the other instance, or the signature of its backup, shows it.',
    });
  }
  const name = request.name.trim();
  if (name === '' || name.length > LONGEST_NAME || /\p{Cc}/u.test(name)) {
    throw new HoldfastError(
      'INVALID_INPUT',
      `name has from 1 to ${LONGEST_NAME} characters, none of them a control character.`,
      { field: 'name' },
    );
  }
  const fingerprint = fingerprintOf(publicKey);
  if (fingerprint === instanceSigner(parts).fingerprint) {
    throw new HoldfastError('INVALID_INPUT', 'This is the key of this instance, which is always trusted.', {
      field: 'publicKey',
    });
  }
  const signer = await parts.catalog.trustedSigners.add(actor.workspaceId, {
    fingerprint,
    publicKey: request.publicKey,
    name,
  });
  parts.log.info({ fingerprint, by: actor.name }, 'a signer is trusted');
  return signer;
}

/** Takes trust back; what was restored stays. @throws HoldfastError FORBIDDEN, NOT_FOUND */
export async function distrustSigner(parts: EngineParts, actor: Actor, id: string): Promise<void> {
  requireOwner(actor, 'distrustSigner');
  if (!(await parts.catalog.trustedSigners.remove(actor.workspaceId, id))) {
    throw new HoldfastError('NOT_FOUND', 'There is no such signer in this workspace.');
  }
  parts.log.info({ signerId: id, by: actor.name }, 'a signer is not trusted any more');
}
