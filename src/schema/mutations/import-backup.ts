import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { UnlockInput, unlockOf } from '../encryption.ts';
import { BundleError, ForbiddenError, InvalidInputError, NotFoundError, StorageError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';

const ImportBackupInput = builder.inputType('ImportBackupInput', {
  description: 'Which upload to import.',
  fields: (t) => ({
    uploadId: t.id({ required: true, description: 'The id that POST /upload answered.' }),
    sourceId: t.id({ description: 'The source it belongs to; left out, it belongs to none.' }),
    unlock: t.field({
      type: UnlockInput,
      description:
        'What opens the bundle, where its key is not kept here. Without it the bundle is taken in unread, with a warning.',
    }),
  }),
});

const ImportBackupPayload = builder.simpleObject('ImportBackupPayload', {
  description: 'The import is on its way.',
  fields: (t) => ({ record: t.field({ type: RecordNode, description: 'The record that imports.' }) }),
});

builder.mutationField('importBackup', (t) =>
  t.field({
    type: ImportBackupPayload,
    description: 'Verifies an uploaded bundle and takes it in as a backup, whoever signed it. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, BundleError, StorageError] },
    args: { input: t.arg({ type: ImportBackupInput, required: true, description: 'Which upload.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.importBackup(
        actorOf(context),
        idOf('Upload', input.uploadId),
        input.sourceId ? idOf('Source', input.sourceId) : null,
        unlockOf(input.unlock),
      ),
    }),
  }),
);
