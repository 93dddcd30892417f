import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import {
  ForbiddenError,
  InvalidInputError,
  LockHeldError,
  NotFoundError,
  SourceUnavailableError,
} from '../errors.ts';
import { idOf } from '../global-id.ts';
import { sourceNameRule, sourcePartFields, sourcePartsOf } from '../source-input.ts';
import { SourcePayloadFields } from '../source-payload.ts';

const UpdateSourceInput = builder.inputType('UpdateSourceInput', {
  description: 'What changes; what is left out stays.',
  fields: (t) => ({
    sourceId: t.id({ required: true, description: 'The source.' }),
    name: t.string({ description: 'Its new name.', validate: sourceNameRule }),
    ...sourcePartFields(t),
  }),
});

const UpdateSourcePayload = builder
  .objectRef<{ sourceId: string }>('UpdateSourcePayload')
  .implement({ description: 'The changed source.', fields: SourcePayloadFields });

builder.mutationField('updateSource', (t) =>
  t.field({
    type: UpdateSourcePayload,
    description: 'Changes a source. Needs ADMIN.',
    authScopes: { admin: true },
    errors: {
      types: [InvalidInputError, ForbiddenError, NotFoundError, LockHeldError, SourceUnavailableError],
    },
    args: { input: t.arg({ type: UpdateSourceInput, required: true, description: 'What changes.' }) },
    resolve: async (_root, { input }, context) => {
      const id = idOf('Source', input.sourceId);
      const source = await context.engine.updateSource(actorOf(context), id, {
        ...sourcePartsOf(input),
        ...(typeof input.name === 'string' && { name: input.name }),
      });
      return { sourceId: source.id };
    },
  }),
);
