/** What comes of a record, by kind. */
import type {
  CreateResult,
  ImportResult,
  RecordResult,
  RestoreResult,
  RotateResult,
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

const TYPES = {
  CREATE: CreateResultType,
  RESTORE: RestoreResultType,
  VERIFY: VerifyResultType,
  ROTATE: RotateResultType,
  IMPORT: ImportResultType,
} as const satisfies Record<RecordResult['kind'], unknown>;

export const RecordResultType = builder.unionType('RecordResult', {
  description: "What came of a record, by the record's kind.",
  types: Object.values(TYPES),
  resolveType: (result) => TYPES[result.kind],
});
