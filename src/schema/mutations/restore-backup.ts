import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { UnlockInput, unlockOf } from '../encryption.ts';
import {
  BundleError,
  ForbiddenError,
  InvalidInputError,
  LockHeldError,
  NotFoundError,
  RestoreRefusedError,
  SourceUnavailableError,
  StorageError,
} from '../errors.ts';
import { idOf } from '../global-id.ts';
import { RecordNode } from '../record.ts';
import { BundleInput, lockTimeoutRule, OnDriftEnum, originOf } from '../restore-plan.ts';
import { SelectionInput, selectionOf } from '../selection.ts';

const PreRestoreBackupEnum = builder.enumType('PreRestoreBackup', {
  description: 'Whether the target is backed up before it is changed.',
  values: {
    REQUIRED: { description: 'It is; when that fails, nothing is restored.' },
    BEST_EFFORT: { description: 'It is; when that fails, the restore goes on with a warning.' },
    NONE: { description: 'It is not.' },
  } as const,
});

const RestoreBackupInput = builder.inputType('RestoreBackupInput', {
  description: 'What to restore, and how.',
  fields: (t) => ({
    bundle: t.field({ type: BundleInput, required: true, description: 'The bundle to restore.' }),
    sourceId: t.id({
      description: "The source to restore into; the backup's own when left out. Needed for uploads.",
    }),
    selection: t.field({ type: SelectionInput, description: 'Which parts to restore.' }),
    unlock: t.field({
      type: UnlockInput,
      description: 'What opens the bundle, where its key is not kept here.',
    }),
    trustUnknownSigner: t.boolean({
      required: true,
      defaultValue: false,
      description:
        'Restore a bundle that is unsigned or whose signer is not trusted, and run the code of its schema. For an OWNER alone.',
    }),
    planHash: t.string({
      description: 'The hash of a restorePlan: refused with PLAN_CHANGED when the plan is another by now.',
    }),
    onDrift: t.field({
      type: OnDriftEnum,
      required: true,
      defaultValue: 'REFUSE',
      description: 'What to do when the structure of the target changed since the bundle was made.',
    }),
    dryRun: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Do everything, say what was done, then take it back.',
    }),
    preRestoreBackup: t.field({
      type: PreRestoreBackupEnum,
      required: true,
      defaultValue: 'REQUIRED',
      description: 'Whether the target is backed up first.',
    }),
    allowForeignSource: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Allow a bundle that was made from another source.',
    }),
    endSessions: t.boolean({
      required: true,
      defaultValue: false,
      description: "End the application's sessions on the database first.",
    }),
    lockTimeoutMs: t.int({
      required: true,
      defaultValue: 10_000,
      description: 'Milliseconds a statement waits for a lock of the application: 1 to 600,000.',
      validate: lockTimeoutRule,
    }),
    overwriteEnvFile: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Allow the env file to be written over the one it was read from.',
    }),
  }),
});

const RestoreBackupPayload = builder.simpleObject('RestoreBackupPayload', {
  description: 'The restore is on its way.',
  fields: (t) => ({ record: t.field({ type: RecordNode, description: 'The record that restores.' }) }),
});

builder.mutationField('restoreBackup', (t) =>
  t.field({
    type: RestoreBackupPayload,
    description:
      'Replaces tables and files by those of a bundle: all of them, or none. Refused while another record works on the source. Needs ADMIN.',
    authScopes: { admin: true },
    errors: {
      types: [
        InvalidInputError,
        ForbiddenError,
        NotFoundError,
        LockHeldError,
        SourceUnavailableError,
        BundleError,
        RestoreRefusedError,
        StorageError,
      ],
    },
    args: { input: t.arg({ type: RestoreBackupInput, required: true, description: 'What, and how.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.restoreBackup(actorOf(context), {
        bundle: originOf(input.bundle),
        sourceId: input.sourceId ? idOf('Source', input.sourceId) : null,
        selection: selectionOf(input.selection),
        unlock: unlockOf(input.unlock),
        trustUnknownSigner: input.trustUnknownSigner,
        onDrift: input.onDrift,
        planHash: input.planHash ?? null,
        dryRun: input.dryRun,
        preRestoreBackup: input.preRestoreBackup,
        allowForeignSource: input.allowForeignSource,
        endSessions: input.endSessions,
        lockTimeoutMs: input.lockTimeoutMs,
        overwriteEnvFile: input.overwriteEnvFile,
      }),
    }),
  }),
);
