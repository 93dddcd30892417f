/** What a bundle says of itself, also one that is no backup yet. */
import type { InspectedBundle } from '../engine/engine.ts';
import { BackupNode } from './backup.ts';
import { builder } from './builder.ts';
import { actorOf } from './context.ts';
import { BundleEncryptionType, BundleSignatureType } from './encryption.ts';
import { BundleError, ForbiddenError, InvalidInputError, NotFoundError, StorageError } from './errors.ts';
import { ManifestType } from './manifest.ts';
import { BundleInput, originOf } from './restore-plan.ts';

const InspectedBundleType = builder.objectRef<InspectedBundle>('InspectedBundle').implement({
  description: 'What a bundle says of itself. Its content was not read.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its file name.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'BigInt', description: 'Bytes of the bundle.' }),
    checksum: t.exposeString('checksum', {
      description: 'SHA-256 of the whole bundle, hexadecimal, as it was when it was stored or uploaded.',
    }),
    manifest: t.expose('manifest', { type: ManifestType, description: 'Its manifest.' }),
    encryption: t.field({
      type: BundleEncryptionType,
      description: 'How it is sealed.',
      resolve: ({ manifest }) => manifest.encryption,
    }),
    signature: t.expose('signer', {
      type: BundleSignatureType,
      description: 'Who signed it; the signature was checked just now.',
    }),
    backup: t.prismaField({
      type: BackupNode,
      nullable: true,
      description: 'The backup in the catalog that has just these bytes; null when none has.',
      resolve: (query, { checksum }, _args, { prisma }) =>
        prisma.backup.findFirst({
          ...query,
          where: { checksum, deletingAt: null },
          orderBy: { createdAt: 'asc' },
        }),
    }),
  }),
});

builder.queryField('inspectBundle', (t) =>
  t.field({
    type: InspectedBundleType,
    description:
      'What a bundle says of itself, also an upload that is no backup yet: manifest, signature, seal. Needs no key, and reads no content. One that is damaged is refused with what is wrong.',
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, BundleError, StorageError] },
    args: { input: t.arg({ type: BundleInput, required: true, description: 'Which bundle.' }) },
    complexity: 50,
    resolve: (_root, { input }, context) =>
      context.engine.inspectBundle(actorOf(context), originOf(input), context.signal),
  }),
);
