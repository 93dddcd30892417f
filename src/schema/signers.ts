/** The keys that seal bundles, and the signers that are trusted. Never a key itself. */
import type { TrustedSignerRow } from '../catalog/catalog.ts';
import type { EncryptionKey, InstanceSigner } from '../engine/engine.ts';
import { builder } from './builder.ts';
import { encodeGlobalId } from './global-id.ts';

export const EncryptionKeyType = builder.objectRef<EncryptionKey>('EncryptionKey').implement({
  description: 'A key that Holdfast keeps for bundles of mode KEY. The key itself is never shown.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Its id, as manifests name it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    retiredAt: t.expose('retiredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it only opens; null for the one that seals.',
    }),
  }),
});

type TrustedSigner = Pick<TrustedSignerRow, 'id' | 'name' | 'fingerprint' | 'publicKey' | 'createdAt'>;

export const TrustedSignerType = builder.objectRef<TrustedSigner>('TrustedSigner').implement({
  description: 'Another instance whose bundles may be restored here.',
  fields: (t) => ({
    id: t.id({
      description: 'The id that distrustSigner takes.',
      resolve: ({ id }) => encodeGlobalId('TrustedSigner', id),
    }),
    name: t.exposeString('name', { description: 'What people call it.' }),
    fingerprint: t.exposeString('fingerprint', { description: 'SHA-256 of its public key, hexadecimal.' }),
    publicKey: t.exposeString('publicKey', { description: 'Its Ed25519 public key, base64.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Since when it is trusted.' }),
  }),
});

export const InstanceSignerType = builder.objectRef<InstanceSigner>('InstanceSigner').implement({
  description: 'The key that signs every bundle made here. It is derived from the instance key.',
  fields: (t) => ({
    fingerprint: t.exposeString('fingerprint', {
      description: 'SHA-256 of the public key, hexadecimal: compare it before another instance trusts it.',
    }),
    publicKey: t.exposeString('publicKey', {
      description: 'The Ed25519 public key, base64: give it to trustSigner of another instance.',
    }),
  }),
});

builder.queryFields((t) => ({
  encryptionKeys: t.field({
    type: [EncryptionKeyType],
    description:
      'The keys that bundles of mode KEY are sealed with, oldest first. Empty before the first backup.',
    resolve: (_root, _args, { prisma }) =>
      prisma.encryptionKey.findMany({
        select: { id: true, createdAt: true, retiredAt: true },
        orderBy: { createdAt: 'asc' },
      }),
  }),
  trustedSigners: t.field({
    type: [TrustedSignerType],
    description: 'Other instances whose bundles may be restored here, oldest first.',
    resolve: (_root, _args, { prisma }) => prisma.trustedSigner.findMany({ orderBy: { createdAt: 'asc' } }),
  }),
}));
