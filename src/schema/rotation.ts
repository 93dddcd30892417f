/** What a retention policy says of each backup. */
import type { RetentionVerdict } from '../engine/retention.ts';
import { BackupNode } from './backup.ts';
import { builder } from './builder.ts';
import { loadBackup } from './load-backup.ts';

export const RotationVerdictType = builder.objectRef<RetentionVerdict>('RotationVerdict').implement({
  description: 'What a rotation decides about one backup.',
  fields: (t) => ({
    backup: t.field({
      type: BackupNode,
      nullable: true,
      description: 'The backup; null once it is gone.',
      resolve: ({ backup }, _args, context) => loadBackup(context, backup.id),
    }),
    name: t.string({ description: 'Name of the backup.', resolve: ({ backup }) => backup.name }),
    keep: t.exposeBoolean('keep', { description: 'Whether it stays.' }),
    reason: t.exposeString('reason', { description: 'The reason, in words.' }),
  }),
});
