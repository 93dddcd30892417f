/** What a restore would do. */
import { z } from 'zod';
import type { BundleOrigin, RestorePlan, SchemaDifference, TablePlan, TreePlan } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import type { TreeDifference } from '../source/file-trees.ts';
import type { DatabaseSession } from '../source/source.ts';
import { builder } from './builder.ts';
import { actorOf } from './context.ts';
import { TableNameType } from './database-names.ts';
import { BundleSignatureType, UnlockInput, unlockOf } from './encryption.ts';
import { TreeAreaEnum } from './enums.ts';
import {
  BundleError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  RestoreRefusedError,
  SourceUnavailableError,
  StorageError,
} from './errors.ts';
import { idOf } from './global-id.ts';
import { SelectionInput, selectionOf } from './selection.ts';

export const BundleInput = builder.inputType('BundleInput', {
  description: 'Which bundle: exactly one of the two.',
  isOneOf: true,
  fields: (t) => ({
    backupId: t.id({ description: 'The bundle of this backup.' }),
    uploadId: t.id({ description: 'The bundle that was uploaded under this id.' }),
  }),
});

/** The origin of a bundle as the engine wants it. */
export function originOf(input: typeof BundleInput.$inferInput): BundleOrigin {
  if (typeof input.backupId === 'string') return { backupId: idOf('Backup', input.backupId) };
  if (typeof input.uploadId === 'string') return { uploadId: idOf('Upload', input.uploadId) };
  throw new HoldfastError('INVALID_INPUT', 'bundle: exactly one of backupId and uploadId is needed.', {
    field: 'bundle',
  });
}

export const OnDriftEnum = builder.enumType('OnDrift', {
  description:
    "What to do when the structure of the target is not the bundle's. An empty target gets the bundle's structure whatever is said.",
  values: {
    REFUSE: { description: 'Stop before anything is touched.' },
    RESTORE_SCHEMA: {
      description:
        "Put the bundle's structure back. Tables that the bundle does not know stay untouched. Needs all tables of the bundle.",
    },
    ADAPT: {
      description:
        'Load what fits safely: columns added since take their defaults, columns and tables that are gone are left out and listed, values that a new type would alter are refused.',
    },
  } as const,
});

const RestoreStructureEnum = builder.enumType('RestoreStructure', {
  description: 'What a restore does to the structure of the database.',
  values: {
    KEEP: { description: 'Nothing: rows alone are replaced.' },
    CREATE: { description: "The target is empty and gets the bundle's structure." },
    REPLACE: { description: "The bundle's structure takes the place of what is there." },
  } as const,
});

const SchemaChangeEnum = builder.enumType('SchemaChange', {
  description: 'What happened to an object since the bundle was made.',
  values: {
    ADDED: { description: 'It is there now and was not then.' },
    REMOVED: { description: 'It was there then and is not now.' },
    CHANGED: { description: 'It is not what it was.' },
  } as const,
});

const SchemaDifferenceType = builder.objectRef<SchemaDifference>('SchemaDifference').implement({
  description: 'An object of the database that is not as it was when the bundle was made.',
  fields: (t) => ({
    object: t.exposeString('object', { description: 'Its kind and name, as in `INDEX public.film_title`.' }),
    change: t.expose('change', { type: SchemaChangeEnum, description: 'What happened to it since.' }),
  }),
});

const RestorePlanInput = builder.inputType('RestorePlanInput', {
  description: 'Which restore to plan.',
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
    onDrift: t.field({
      type: OnDriftEnum,
      required: true,
      defaultValue: 'REFUSE',
      description: 'What to do when the structure of the target changed since.',
    }),
  }),
});

const TablePlanType = builder.objectRef<TablePlan>('TablePlan').implement({
  description: 'What a restore would do to one table.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    rowsNow: t.expose('rowsNow', {
      type: 'BigInt',
      nullable: true,
      description: 'Rows it has now; null when the target has no such table.',
    }),
    rowsInBundle: t.expose('rowsInBundle', { type: 'BigInt', description: 'Rows it would have.' }),
    drift: t.stringList({
      description: 'How the live table differs from the one in the bundle, in words; empty when it does not.',
      resolve: ({ drift }) => drift,
    }),
    losses: t.stringList({
      description: 'With ADAPT, what of the table does not come back, in words.',
      resolve: ({ losses }) => losses,
    }),
  }),
});

const PathChangeEnum = builder.enumType('PathChange', {
  description: 'What a restore would do to a path.',
  values: {
    ADDED: { description: 'It would be there again.' },
    CHANGED: { description: 'It would be replaced.' },
    REMOVED: { description: 'It would be gone.' },
  } as const,
});

const PathExampleType = builder.objectRef<TreeDifference['examples'][number]>('PathExample').implement({
  description: 'A path that a restore would change.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'Relative to the tree.' }),
    change: t.expose('change', { type: PathChangeEnum, description: 'What would happen to it.' }),
  }),
});

const TreePlanType = builder.objectRef<TreePlan>('TreePlan').implement({
  description: 'What a restore would do to one tree of files.',
  fields: (t) => ({
    area: t.expose('area', { type: TreeAreaEnum, description: 'Files or configuration.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    target: t.exposeString('target', { description: 'Where it would be written.' }),
    added: t.expose('added', { type: 'BigInt', description: 'Paths that would be there again.' }),
    changed: t.expose('changed', { type: 'BigInt', description: 'Paths that would be replaced.' }),
    removed: t.expose('removed', { type: 'BigInt', description: 'Paths that would be gone.' }),
    unchanged: t.expose('unchanged', { type: 'BigInt', description: 'Paths that are alike.' }),
    examples: t.field({
      type: [PathExampleType],
      description: 'The first few that would change.',
      resolve: ({ examples }) => examples,
    }),
  }),
});

const DatabaseSessionType = builder.objectRef<DatabaseSession>('DatabaseSession').implement({
  description: 'A connection of somebody else to the database.',
  fields: (t) => ({
    application: t.exposeString('application', { description: 'The name the program gave itself.' }),
    user: t.exposeString('user', { description: 'The database user.' }),
    state: t.exposeString('state', { description: 'What it does now, in the words of the database.' }),
    since: t.expose('since', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when; null when the database does not tell.',
    }),
  }),
});

const RestorePlanType = builder.objectRef<RestorePlan>('RestorePlan').implement({
  description: 'What a restore would do. Nothing was changed to find out.',
  fields: (t) => ({
    hash: t.exposeString('hash', {
      description:
        'Covers bundle, target, selection, schema and drift, not row counts. Give it to restoreBackup to restore exactly this.',
    }),
    bundleName: t.exposeString('bundleName', { description: 'Name of the bundle.' }),
    bundleChecksum: t.exposeString('bundleChecksum', { description: 'SHA-256 of the bundle.' }),
    signature: t.field({
      type: BundleSignatureType,
      description:
        'Who signed the bundle. When that is nobody who is trusted, a warning says what can be done.',
      resolve: ({ signer }) => signer,
    }),
    target: t.prismaField({
      type: 'Source',
      description: 'The source it would restore into.',
      resolve: (query, { target }, _args, { prisma }) =>
        prisma.source.findUniqueOrThrow({ ...query, where: { id: target.id } }),
    }),
    structure: t.expose('structure', {
      type: RestoreStructureEnum,
      description: 'What would happen to the structure of the database.',
    }),
    schemaDifferences: t.field({
      type: [SchemaDifferenceType],
      description: 'Objects of the database that are not as they were when the bundle was made.',
      resolve: ({ schemaDifferences }) => schemaDifferences,
    }),
    tables: t.field({
      type: [TablePlanType],
      description: 'The tables, in restore order.',
      resolve: ({ tables }) => tables,
    }),
    untouchedTables: t.field({
      type: [TableNameType],
      description: 'Live tables that the bundle does not hold; they stay as they are.',
      resolve: ({ untouchedTables }) => untouchedTables,
    }),
    trees: t.field({
      type: [TreePlanType],
      description: 'The trees of files.',
      resolve: ({ trees }) => trees,
    }),
    envFile: t.exposeString('envFile', {
      nullable: true,
      description: 'Where the env file would be written; null when it would not.',
    }),
    sessions: t.field({
      type: [DatabaseSessionType],
      nullable: true,
      description: 'Who is connected to the database now; null where the database cannot tell.',
      resolve: ({ sessions }) => sessions,
    }),
    warnings: t.stringList({
      description: 'What one should know before.',
      resolve: ({ warnings }) => warnings,
    }),
    refusals: t.stringList({
      description: 'Why restoreBackup would refuse; empty when it would not.',
      resolve: ({ refusals }) => refusals,
    }),
  }),
});

builder.queryField('restorePlan', (t) =>
  t.field({
    type: RestorePlanType,
    description: 'What a restore would do: counts, differences, open sessions. Changes nothing. Needs ADMIN.',
    authScopes: { admin: true },
    errors: {
      types: [
        InvalidInputError,
        ForbiddenError,
        NotFoundError,
        SourceUnavailableError,
        BundleError,
        RestoreRefusedError,
        StorageError,
      ],
    },
    args: { input: t.arg({ type: RestorePlanInput, required: true, description: 'Which restore.' }) },
    complexity: 50,
    resolve: (_root, { input }, context) =>
      context.engine.restorePlan(
        actorOf(context),
        {
          bundle: originOf(input.bundle),
          sourceId: input.sourceId ? idOf('Source', input.sourceId) : null,
          selection: selectionOf(input.selection),
          onDrift: input.onDrift,
          unlock: unlockOf(input.unlock),
        },
        context.signal,
      ),
  }),
);

/** Rules of numbers that restores share. */
export const lockTimeoutRule = z
  .int()
  .min(1, 'must be at least 1 millisecond')
  .max(600_000, 'must be at most 600,000 milliseconds');
