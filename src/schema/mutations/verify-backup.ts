import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { UnlockInput, unlockOf } from '../encryption.ts';
import { VerifyLevelEnum } from '../enums.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';

const VerifyBackupInput = builder.inputType('VerifyBackupInput', {
  description: 'Which backup to verify, and how.',
  fields: (t) => ({
    backupId: t.id({ required: true, description: 'The backup.' }),
    level: t.field({
      type: VerifyLevelEnum,
      required: true,
      defaultValue: 'CONTENT',
      description: 'How deep to look.',
    }),
    unlock: t.field({
      type: UnlockInput,
      description: 'What opens the bundle, where its key is not kept here.',
    }),
  }),
});

const VerifyBackupPayload = builder.simpleObject('VerifyBackupPayload', {
  description: 'The verification is on its way.',
  fields: (t) => ({ record: t.field({ type: RecordNode, description: 'The record that verifies.' }) }),
});

builder.mutationField('verifyBackup', (t) =>
  t.field({
    type: VerifyBackupPayload,
    description:
      'Looks at a backup as deep as `level` says, up to a drill that restores it into scratch ground, and certifies what it found. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: VerifyBackupInput, required: true, description: 'Which backup.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.verifyBackup(actorOf(context), {
        backupId: idOf('Backup', input.backupId),
        level: input.level,
        unlock: unlockOf(input.unlock),
      }),
    }),
  }),
);
