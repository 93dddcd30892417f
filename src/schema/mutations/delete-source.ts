import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, LockHeldError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';

const DeleteSourceInput = builder.inputType('DeleteSourceInput', {
  description: 'Which source to delete.',
  fields: (t) => ({ sourceId: t.id({ required: true, description: 'The source.' }) }),
});

const DeleteSourcePayload = builder.simpleObject('DeleteSourcePayload', {
  description: 'The source is gone; its backups and records stay.',
  fields: (t) => ({ deletedSourceId: t.id({ description: 'The id it had.' }) }),
});

builder.mutationField('deleteSource', (t) =>
  t.field({
    type: DeleteSourcePayload,
    description: 'Deletes a source. Its backups and records stay, without a source. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, LockHeldError] },
    args: { input: t.arg({ type: DeleteSourceInput, required: true, description: 'Which source.' }) },
    resolve: async (_root, { input }, context) => {
      await context.engine.deleteSource(actorOf(context), idOf('Source', input.sourceId));
      return { deletedSourceId: input.sourceId };
    },
  }),
);
