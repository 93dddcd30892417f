import { z } from 'zod';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';
import { RotationVerdictType } from '../rotation.ts';

const count = z.int().min(0, 'must not be negative').max(1_000_000, 'must be at most 1,000,000');

const RotateBackupsInput = builder.inputType('RotateBackupsInput', {
  description:
    'Which backups to keep. A backup stays if any rule keeps it; at least one rule must be positive.',
  fields: (t) => ({
    sourceId: t.id({ description: 'Only backups of this source; of every source when left out.' }),
    keepLast: t.int({ description: 'Keep this many of the newest, per source.', validate: count }),
    keepDays: t.int({ description: 'Keep those of the last so many days.', validate: count }),
    dryRun: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Only say what would be deleted.',
    }),
  }),
});

const RotateBackupsPayload = builder.simpleObject('RotateBackupsPayload', {
  description: 'What becomes of each backup.',
  fields: (t) => ({
    verdicts: t.field({
      type: [RotationVerdictType],
      description: 'Each backup looked at, with the reason.',
    }),
    record: t.field({
      type: RecordNode,
      nullable: true,
      description: 'The record that deletes; null in a dry run.',
    }),
  }),
});

builder.mutationField('rotateBackups', (t) =>
  t.field({
    type: RotateBackupsPayload,
    description:
      'Deletes backups that no rule keeps. Never the newest, the newest verified, a pinned one, or one being read. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: RotateBackupsInput, required: true, description: 'Which to keep.' }) },
    resolve: async (_root, { input }, context) => {
      const { verdicts, record } = await context.engine.rotateBackups(actorOf(context), {
        sourceId: input.sourceId ? idOf('Source', input.sourceId) : null,
        policy: { keepLast: input.keepLast ?? null, keepDays: input.keepDays ?? null },
        dryRun: input.dryRun,
      });
      return { verdicts: [...verdicts], record };
    },
  }),
);
