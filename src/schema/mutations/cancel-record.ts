import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';

const CancelRecordInput = builder.inputType('CancelRecordInput', {
  description: 'Which record to cancel.',
  fields: (t) => ({ recordId: t.id({ required: true, description: 'The record.' }) }),
});

const CancelRecordPayload = builder.simpleObject('CancelRecordPayload', {
  description: 'The record stops, or had already ended.',
  fields: (t) => ({ record: t.field({ type: RecordNode, description: 'The record as it stands.' }) }),
});

builder.mutationField('cancelRecord', (t) =>
  t.field({
    type: CancelRecordPayload,
    description:
      'Asks a record to stop; it cleans up and becomes CANCELED. One that has ended stays as it is. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: CancelRecordInput, required: true, description: 'Which record.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.cancelRecord(actorOf(context), idOf('Record', input.recordId)),
    }),
  }),
);
