import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { UnlockInput, unlockOf } from '../encryption.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';

const VerifyBackupInput = builder.inputType('VerifyBackupInput', {
  description: 'Which backup to verify.',
  fields: (t) => ({
    backupId: t.id({ required: true, description: 'The backup.' }),
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
      'Reads all of a backup and compares every checksum, size and count with what was recorded. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: VerifyBackupInput, required: true, description: 'Which backup.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.verifyBackup(
        actorOf(context),
        idOf('Backup', input.backupId),
        unlockOf(input.unlock),
      ),
    }),
  }),
);
