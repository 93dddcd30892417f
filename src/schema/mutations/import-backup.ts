import { HoldfastError } from '../../errors.ts';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { UnlockInput, unlockOf } from '../encryption.ts';
import { BundleError, ForbiddenError, InvalidInputError, NotFoundError, StorageError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';

const ImportBackupInput = builder.inputType('ImportBackupInput', {
  description: 'Which bundle to import: exactly one of uploadId and storageKey.',
  fields: (t) => ({
    uploadId: t.id({ description: 'The id that POST /upload answered.' }),
    storageKey: t.string({
      description:
        'A file that lies in the storage already, as `unknownBundles` names it. It stays where it lies.',
    }),
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
    description:
      'Verifies a bundle that was uploaded, or that somebody put into the storage, and takes it in as a backup, whoever signed it. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, BundleError, StorageError] },
    args: { input: t.arg({ type: ImportBackupInput, required: true, description: 'Which bundle.' }) },
    resolve: async (_root, { input }, context) => {
      const { uploadId, storageKey } = input;
      const [actor, unlock] = [actorOf(context), unlockOf(input.unlock)];
      const sourceId = input.sourceId ? idOf('Source', input.sourceId) : null;
      if (typeof uploadId === 'string' && storageKey == null) {
        const id = idOf('Upload', uploadId);
        return { record: await context.engine.importBackup(actor, id, sourceId, unlock) };
      }
      if (typeof storageKey === 'string' && uploadId == null) {
        return { record: await context.engine.importStored(actor, storageKey, sourceId, unlock) };
      }
      throw new HoldfastError('INVALID_INPUT', 'Exactly one of uploadId and storageKey is needed.', {
        field: 'uploadId',
      });
    },
  }),
);
