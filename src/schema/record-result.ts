/** What comes of a record, by kind. */
import type {
  CreateResult,
  ImportResult,
  RecordResult,
  RestoreResult,
  RotateResult,
  SelfTestResult,
  VerifyResult,
} from '../engine/record-result.ts';
import { BackupNode } from './backup.ts';
import { builder } from './builder.ts';
import { TreeAreaEnum, VerdictEnum, VerifyLevelEnum } from './enums.ts';
import { loadBackup } from './load-backup.ts';

export const TargetStateEnum = builder.enumType('TargetState', {
  description: 'How a restore left its target. Database and files are together one or the other.',
  values: {
    WHOLLY_OLD: { description: 'Everything is as it was before the restore.' },
    WHOLLY_NEW: { description: 'Everything selected is as the bundle has it.' },
  } as const,
});

const CreateResultType = builder.objectRef<CreateResult>('CreateResult').implement({
  description: 'What went into the bundle. The backup is `Record.backup`.',
  fields: (t) => ({
    tables: t.exposeInt('tables', { description: 'How many tables.' }),
    rows: t.expose('rows', { type: 'BigInt', description: 'How many rows.' }),
    files: t.expose('files', { type: 'BigInt', description: 'How many files.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of content, before compression.' }),
  }),
});

const ImportResultType = builder.objectRef<ImportResult>('ImportResult').implement({
  description: 'What the imported bundle holds. The backup is `Record.backup`.',
  fields: (t) => ({
    tables: t.exposeInt('tables', { description: 'How many tables.' }),
    rows: t.expose('rows', { type: 'BigInt', description: 'How many rows.' }),
    files: t.expose('files', { type: 'BigInt', description: 'How many files.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of content, before compression.' }),
  }),
});

const RestoredTableType = builder.objectRef<RestoreResult['tables'][number]>('RestoredTable').implement({
  description: 'A table that a restore loaded.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    rows: t.expose('rows', { type: 'BigInt', description: 'Rows the database took.' }),
    digest: t.exposeString('digest', {
      description:
        'The content digest of what the database gave back: that of the bundle, unless columns were cleared or left out.',
    }),
  }),
});

const RestoredTreeType = builder.objectRef<RestoreResult['trees'][number]>('RestoredTree').implement({
  description: 'A tree of files that a restore wrote.',
  fields: (t) => ({
    area: t.expose('area', { type: TreeAreaEnum, description: 'Files or configuration.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    files: t.expose('files', { type: 'BigInt', description: 'Files written.' }),
  }),
});

const RestoreResultType = builder.objectRef<RestoreResult>('RestoreResult').implement({
  description: 'What a restore did, and how it left its target.',
  fields: (t) => ({
    targetState: t.expose('targetState', {
      type: TargetStateEnum,
      description: 'How database and files stand now.',
    }),
    dryRun: t.exposeBoolean('dryRun', { description: 'Whether it was asked to take everything back.' }),
    rolledBack: t.exposeBoolean('rolledBack', {
      description: 'Whether the work was taken back: by a dry run, a cancellation or a failure.',
    }),
    proven: t.exposeBoolean('proven', {
      description: 'Whether every table was read back and matched the bundle.',
    }),
    rowsRestored: t.expose('rowsRestored', { type: 'BigInt', description: 'Rows the database took.' }),
    filesRestored: t.expose('filesRestored', { type: 'BigInt', description: 'Files written.' }),
    restoredTables: t.expose('tables', {
      type: [RestoredTableType],
      description: 'Each table, in restore order.',
    }),
    restoredTrees: t.expose('trees', { type: [RestoredTreeType], description: 'Each tree of files.' }),
    envFileRestored: t.exposeBoolean('envFileRestored', {
      description: 'Whether the env file was written.',
    }),
    decidedBy: t.string({
      nullable: true,
      description:
        'Who said in which state the target is, with decideRestore; null when nobody had to, as the database could be asked.',
      resolve: ({ decidedBy }) => decidedBy ?? null,
    }),
    preRestoreBackup: t.field({
      type: BackupNode,
      nullable: true,
      description: 'The backup made of the target beforehand; null when none was or it is gone.',
      resolve: ({ preRestoreBackupId }, _args, context) => loadBackup(context, preRestoreBackupId),
    }),
  }),
});

const VerifyProblemType = builder.objectRef<VerifyResult['problems'][number]>('VerifyProblem').implement({
  description: 'A fault that a verification found.',
  fields: (t) => ({
    entry: t.exposeString('entry', {
      nullable: true,
      description: 'The entry of the bundle; null for the bundle as a whole.',
    }),
    message: t.exposeString('message', { description: 'What is wrong with it.' }),
  }),
});

const VerifyResultType = builder.objectRef<VerifyResult>('VerifyResult').implement({
  description: 'What a verification found.',
  fields: (t) => ({
    level: t.field({
      type: VerifyLevelEnum,
      description: 'How deep it looked.',
      resolve: ({ level }) => level ?? 'CONTENT',
    }),
    verdict: t.expose('verdict', { type: VerdictEnum, description: 'Sound or not.' }),
    restoreSeconds: t.float({
      nullable: true,
      description: 'Seconds the restore of a drill took; null without one that passed.',
      resolve: ({ restoreSeconds }) => restoreSeconds ?? null,
    }),
    message: t.exposeString('message', { description: 'The verdict in a sentence.' }),
    entriesChecked: t.expose('entriesChecked', { type: 'BigInt', description: 'Entries read.' }),
    rowsChecked: t.expose('rowsChecked', { type: 'BigInt', description: 'Rows counted.' }),
    bytesChecked: t.expose('bytesChecked', { type: 'BigInt', description: 'Bytes of content read.' }),
    problems: t.expose('problems', { type: [VerifyProblemType], description: 'The first hundred faults.' }),
  }),
});

const RotatedBackupType = builder.objectRef<RotateResult['verdicts'][number]>('RotatedBackup').implement({
  description: 'What became of one backup in a rotation.',
  fields: (t) => ({
    name: t.exposeString('backupName', { description: 'Name of the backup.' }),
    keep: t.exposeBoolean('keep', { description: 'Whether a rule kept it.' }),
    reason: t.exposeString('reason', { description: 'The reason, in words.' }),
    failure: t.exposeString('failure', {
      nullable: true,
      description: 'Why it could not be deleted although no rule kept it.',
    }),
    backup: t.field({
      type: BackupNode,
      nullable: true,
      description: 'The backup; null once it is gone.',
      resolve: ({ backupId }, _args, context) => loadBackup(context, backupId),
    }),
  }),
});

const RotateResultType = builder.objectRef<RotateResult>('RotateResult').implement({
  description: 'What a rotation did.',
  fields: (t) => ({
    deleted: t.exposeInt('deleted', { description: 'How many backups were deleted.' }),
    kept: t.exposeInt('kept', { description: 'How many stayed.' }),
    freedBytes: t.expose('freedBytes', { type: 'BigInt', description: 'Bytes of storage set free.' }),
    backups: t.expose('verdicts', { type: [RotatedBackupType], description: 'Each backup looked at.' }),
  }),
});

const SelfTestStepNameEnum = builder.enumType('SelfTestStepName', {
  description: 'The steps of a self-test, in order.',
  values: {
    COLLECT: { description: 'Makes a canary: a small database of odd values and a tree of odd files.' },
    BACK_UP: { description: 'Writes it into a bundle, sealed and signed, in the real storage.' },
    DESTROY: { description: 'Destroys the canary.' },
    RESTORE: { description: 'Checks the bundle and restores the canary from it.' },
    VERIFY: { description: 'Compares every row, counter, file, mode, time and link with what was there.' },
    CLEAN_UP: { description: 'Deletes the bundle from the storage, and the canary.' },
  } as const,
});

const SelfTestStepStatusEnum = builder.enumType('SelfTestStepStatus', {
  description: 'How far a step of a self-test is.',
  values: {
    WAITING: { description: 'Has not begun yet.' },
    RUNNING: { description: 'At work.' },
    SUCCEEDED: { description: 'Done.' },
    FAILED: { description: 'Ended by an error; `Record.error` tells it.' },
    CANCELED: { description: 'Ended by a cancellation.' },
    SKIPPED: { description: 'Never began, since an earlier one did not succeed.' },
  } as const,
});

const SelfTestStepType = builder.objectRef<SelfTestResult['steps'][number]>('SelfTestStep').implement({
  description: 'A step of a self-test.',
  fields: (t) => ({
    name: t.expose('name', { type: SelfTestStepNameEnum, description: 'Which step it is.' }),
    status: t.expose('status', { type: SelfTestStepStatusEnum, description: 'How far it is.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it began; null before.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null before.',
    }),
    seconds: t.exposeFloat('seconds', { nullable: true, description: 'What it took; null before its end.' }),
  }),
});

const SelfTestResultType = builder.objectRef<SelfTestResult>('SelfTestResult').implement({
  description: 'How a self-test went; kept up to date while it runs.',
  fields: (t) => ({
    steps: t.expose('steps', { type: [SelfTestStepType], description: 'Its steps, in order.' }),
  }),
});

const TYPES = {
  CREATE: CreateResultType,
  RESTORE: RestoreResultType,
  VERIFY: VerifyResultType,
  ROTATE: RotateResultType,
  IMPORT: ImportResultType,
  SELF_TEST: SelfTestResultType,
} as const satisfies Record<RecordResult['kind'], unknown>;

export const RecordResultType = builder.unionType('RecordResult', {
  description: "What came of a record, by the record's kind.",
  types: Object.values(TYPES),
  resolveType: (result) => TYPES[result.kind],
});
