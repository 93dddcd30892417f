/** The schema: every file that adds to it, and the result. */
import { builder } from './builder.ts';
import './scalars.ts';
import './viewer.ts';
import './settings.ts';
import './source.ts';
import './backup.ts';
import './record.ts';
import './record-event.ts';
import './lock.ts';
import './restore-plan.ts';
import './mutations/create-source.ts';
import './mutations/update-source.ts';
import './mutations/delete-source.ts';
import './mutations/test-source.ts';
import './mutations/create-backup.ts';
import './mutations/restore-backup.ts';
import './mutations/verify-backup.ts';
import './mutations/rotate-backups.ts';
import './mutations/delete-backup.ts';
import './mutations/pin-backup.ts';
import './mutations/import-backup.ts';
import './mutations/cancel-record.ts';
import './mutations/decide-restore.ts';

export const schema = builder.toSchema();
