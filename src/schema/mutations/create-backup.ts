import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { EncryptionInput, encryptionOf } from '../encryption.ts';
import { CompressionEnum } from '../enums.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';
import { SelectionInput, selectionOf } from '../selection.ts';

const CreateBackupInput = builder.inputType('CreateBackupInput', {
  description: 'What to back up.',
  fields: (t) => ({
    sourceId: t.id({ required: true, description: 'The source.' }),
    selection: t.field({ type: SelectionInput, description: 'Which parts of it.' }),
    compression: t.field({
      type: CompressionEnum,
      required: true,
      defaultValue: 'DEFLATE_1',
      description: 'How the content is compressed.',
    }),
    encryption: t.field({
      type: EncryptionInput,
      description: 'How to seal it; left out, with the key that Holdfast keeps (KEY).',
    }),
    leaveOutUnreadable: t.boolean({
      required: true,
      defaultValue: false,
      description:
        'Leave out tables that may not be read, with a warning; else they refuse the backup by name.',
    }),
  }),
});

const CreateBackupPayload = builder.simpleObject('CreateBackupPayload', {
  description: 'The backup is on its way.',
  fields: (t) => ({ record: t.field({ type: RecordNode, description: 'The record that makes it.' }) }),
});

builder.mutationField('createBackup', (t) =>
  t.field({
    type: CreateBackupPayload,
    description: 'Backs a source up. Waits its turn when another record works on the source. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError] },
    args: { input: t.arg({ type: CreateBackupInput, required: true, description: 'What to back up.' }) },
    resolve: async (_root, { input }, context) => {
      const encryption = encryptionOf(input.encryption);
      const record = await context.engine.createBackup(actorOf(context), {
        sourceId: idOf('Source', input.sourceId),
        selection: selectionOf(input.selection),
        compression: input.compression,
        leaveOutUnreadable: input.leaveOutUnreadable,
        ...(encryption !== undefined && { encryption }),
      });
      return { record };
    },
  }),
);
