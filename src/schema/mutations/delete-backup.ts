import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, LockHeldError, NotFoundError, StorageError } from '../errors.ts';
import { idOf } from '../global-id.ts';

const DeleteBackupInput = builder.inputType('DeleteBackupInput', {
  description: 'Which backup to delete.',
  fields: (t) => ({ backupId: t.id({ required: true, description: 'The backup.' }) }),
});

const DeleteBackupPayload = builder.simpleObject('DeleteBackupPayload', {
  description: 'The backup and its bundle are gone.',
  fields: (t) => ({ deletedBackupId: t.id({ description: 'The id it had.' }) }),
});

builder.mutationField('deleteBackup', (t) =>
  t.field({
    type: DeleteBackupPayload,
    description: 'Deletes a backup and its bundle, for ever. A pinned one is refused. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, LockHeldError, StorageError] },
    args: { input: t.arg({ type: DeleteBackupInput, required: true, description: 'Which backup.' }) },
    resolve: async (_root, { input }, context) => {
      await context.engine.deleteBackup(actorOf(context), idOf('Backup', input.backupId));
      return { deletedBackupId: input.backupId };
    },
  }),
);
