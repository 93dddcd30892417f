import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, StorageError } from '../errors.ts';

const CreateRecoveryKitInput = builder.inputType('CreateRecoveryKitInput', {
  description: 'How to seal the kit.',
  fields: (t) => ({
    passphrase: t.string({
      required: true,
      description:
        'What opens the kit: 12 to 1024 characters. Put it into a variable, not into the operation. It is written down nowhere; keep it well, and not beside the kit.',
    }),
  }),
});

const CreateRecoveryKitPayload = builder.simpleObject('CreateRecoveryKitPayload', {
  description: 'A recovery kit waits to be downloaded.',
  fields: (t) => ({
    downloadUrl: t.string({ description: 'A signed link to the kit, an age file, for whoever holds it.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'Until then the link works; then the server forgets the kit.',
    }),
    fileName: t.string({ description: 'A name to keep it under.' }),
    sizeBytes: t.int({ description: 'Bytes of the file.' }),
    sha256: t.string({ description: 'SHA-256 of the file, hexadecimal.' }),
  }),
});

builder.mutationField('createRecoveryKit', (t) =>
  t.field({
    type: CreateRecoveryKitPayload,
    description:
      'Puts the keys, sources, jobs, trusted signers and settings of the workspace into one file, sealed with a passphrase: with it and the storage `holdfast recover` makes a fresh instance, and bundles open by hand. Make another one when a key or source has changed. Needs OWNER.',
    authScopes: { owner: true },
    errors: { types: [InvalidInputError, ForbiddenError, StorageError] },
    args: { input: t.arg({ type: CreateRecoveryKitInput, required: true, description: 'How to seal it.' }) },
    resolve: async (_root, { input }, context) => {
      const { id, ...kit } = await context.engine.createRecoveryKit(actorOf(context), input);
      return { ...kit, downloadUrl: context.signKitDownload(id, kit.expiresAt) };
    },
  }),
);
