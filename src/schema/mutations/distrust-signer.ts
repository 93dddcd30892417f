import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';

const DistrustSignerInput = builder.inputType('DistrustSignerInput', {
  description: 'Whom not to trust any more.',
  fields: (t) => ({ signerId: t.id({ required: true, description: 'The trusted signer.' }) }),
});

const DistrustSignerPayload = builder.simpleObject('DistrustSignerPayload', {
  description: 'Its bundles are not restored any more; what was restored stays.',
  fields: (t) => ({ deletedSignerId: t.id({ description: 'The id it had.' }) }),
});

builder.mutationField('distrustSigner', (t) =>
  t.field({
    type: DistrustSignerPayload,
    description: 'Takes back the trust in another instance. Its bundles stay in the catalog. Needs OWNER.',
    authScopes: { owner: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: DistrustSignerInput, required: true, description: 'Whom.' }) },
    resolve: async (_root, { input }, context) => {
      await context.engine.distrustSigner(actorOf(context), idOf('TrustedSigner', input.signerId));
      return { deletedSignerId: input.signerId };
    },
  }),
);
