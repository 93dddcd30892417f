import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, LockHeldError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';
import { TargetStateEnum } from '../record-result.ts';

const DecideRestoreInput = builder.inputType('DecideRestoreInput', {
  description: 'How a restore ended. Look at the database itself first: nothing checks what is said here.',
  fields: (t) => ({
    recordId: t.id({ required: true, description: 'The record of the restore.' }),
    targetState: t.field({
      type: TargetStateEnum,
      required: true,
      description:
        'The side the database is on. WHOLLY_NEW keeps the files of the bundle and removes those it replaced, WHOLLY_OLD puts those back.',
    }),
  }),
});

const DecideRestorePayload = builder.simpleObject('DecideRestorePayload', {
  description: 'The decision is written down; files and record follow it at once.',
  fields: (t) => ({
    record: t.field({ type: RecordNode, description: 'The record, which ends soon; it tells who decided.' }),
  }),
});

builder.mutationField('decideRestore', (t) =>
  t.field({
    type: DecideRestorePayload,
    description:
      'Ends a restore that was interrupted in its commit and whose database will never say how it ended. Final. While the database can be brought back, or has moved, correct its address with updateSource instead. Needs OWNER.',
    authScopes: { owner: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, LockHeldError] },
    args: { input: t.arg({ type: DecideRestoreInput, required: true, description: 'How it ended.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.decideRestore(
        actorOf(context),
        idOf('Record', input.recordId),
        input.targetState,
      ),
    }),
  }),
);
