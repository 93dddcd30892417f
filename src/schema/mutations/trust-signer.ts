import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError } from '../errors.ts';
import { TrustedSignerType } from '../signers.ts';

const TrustSignerInput = builder.inputType('TrustSignerInput', {
  description: 'Whom to trust.',
  fields: (t) => ({
    publicKey: t.string({
      required: true,
      description:
        'The Ed25519 public key, base64: `settings { signer }` of the other instance, or `signature` of its backup, shows it. Compare the fingerprint by another way than the bundle came.',
    }),
    name: t.string({ required: true, description: 'What people call that instance: 1 to 100 characters.' }),
  }),
});

const TrustSignerPayload = builder.simpleObject('TrustSignerPayload', {
  description: 'Its bundles may be restored here.',
  fields: (t) => ({ signer: t.field({ type: TrustedSignerType, description: 'The signer.' }) }),
});

builder.mutationField('trustSigner', (t) =>
  t.field({
    type: TrustSignerPayload,
    description:
      'Lets bundles that another instance signed be restored here, the code of their schema included. One that is trusted already is renamed. Needs OWNER.',
    authScopes: { owner: true },
    errors: { types: [InvalidInputError, ForbiddenError] },
    args: { input: t.arg({ type: TrustSignerInput, required: true, description: 'Whom.' }) },
    resolve: async (_root, { input }, context) => ({
      signer: await context.engine.trustSigner(actorOf(context), input),
    }),
  }),
);
