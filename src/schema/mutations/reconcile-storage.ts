import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, StorageError } from '../errors.ts';

const ReconcileStorageInput = builder.inputType('ReconcileStorageInput', {
  description: 'How to compare.',
  fields: (t) => ({
    dryRun: t.boolean({ required: true, defaultValue: false, description: 'Only count; mark nothing.' }),
  }),
});

const ReconcileStoragePayload = builder.simpleObject('ReconcileStoragePayload', {
  description: 'What the comparison of catalog and storage found.',
  fields: (t) => ({
    checked: t.int({ description: 'Backups whose bundle was looked for, with an answer.' }),
    missing: t.int({
      description: 'Those of them whose bundle is gone: `backups(filter: { missing: true })`.',
    }),
    vanished: t.int({ description: 'Those that were not marked missing until now.' }),
    returned: t.int({ description: 'Those that were marked missing until now.' }),
    undecided: t.int({
      description:
        'Backups whose bundle could not be looked for; nothing of them was changed. The log of the server says why.',
    }),
    unknown: t.int({ description: 'Files that are not in the catalog: `unknownBundles`.' }),
  }),
});

builder.mutationField('reconcileStorage', (t) =>
  t.field({
    type: ReconcileStoragePayload,
    description:
      'Compares the catalog with the storage now, as the server does from time to time: marks backups whose bundle is gone, or there again. A storage that cannot be reached changes nothing. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, StorageError] },
    args: { input: t.arg({ type: ReconcileStorageInput, required: true, description: 'How to compare.' }) },
    resolve: (_root, { input }, context) =>
      context.engine.reconcileStorage(actorOf(context), input, context.signal),
  }),
);
