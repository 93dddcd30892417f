import { BackupNode } from '../backup.ts';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';

const PinBackupInput = builder.inputType('PinBackupInput', {
  description: 'Which backup to pin or unpin.',
  fields: (t) => ({
    backupId: t.id({ required: true, description: 'The backup.' }),
    pinned: t.boolean({ required: true, defaultValue: true, description: 'False lets it go again.' }),
  }),
});

const PinBackupPayload = builder.simpleObject('PinBackupPayload', {
  description: 'The backup is pinned or let go.',
  fields: (t) => ({ backup: t.field({ type: BackupNode, description: 'The backup.' }) }),
});

builder.mutationField('pinBackup', (t) =>
  t.field({
    type: PinBackupPayload,
    description: 'Protects a backup from rotation and deletion, or lets it go again. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: PinBackupInput, required: true, description: 'Which backup.' }) },
    resolve: async (_root, { input }, context) => ({
      backup: await context.engine.pinBackup(actorOf(context), idOf('Backup', input.backupId), input.pinned),
    }),
  }),
);
