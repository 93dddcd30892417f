import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError } from '../errors.ts';
import { EncryptionKeyType } from '../signers.ts';

const RotateEncryptionKeyInput = builder.inputType('RotateEncryptionKeyInput', {
  description: 'Which key to retire.',
  fields: (t) => ({
    replaces: t.id({
      description: 'The key that seals now; refused when it is another by now. Left out, whichever it is.',
    }),
  }),
});

const RotateEncryptionKeyPayload = builder.simpleObject('RotateEncryptionKeyPayload', {
  description: 'Bundles of mode KEY are sealed with another key from now on.',
  fields: (t) => ({ key: t.field({ type: EncryptionKeyType, description: 'The new key.' }) }),
});

builder.mutationField('rotateEncryptionKey', (t) =>
  t.field({
    type: RotateEncryptionKeyPayload,
    description:
      'Makes a new key for bundles of mode KEY. Those of earlier keys stay readable, since the keys are kept. Needs OWNER.',
    authScopes: { owner: true },
    errors: { types: [InvalidInputError, ForbiddenError] },
    args: { input: t.arg({ type: RotateEncryptionKeyInput, required: true, description: 'Which key.' }) },
    resolve: async (_root, { input }, context) => ({
      key: await context.engine.rotateEncryptionKey(actorOf(context), {
        replaces: input.replaces ?? undefined,
      }),
    }),
  }),
);
