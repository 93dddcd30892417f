/** Backups: immutable bundles and what is known of them. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import { z } from 'zod';
import type { Manifest } from '../bundle/manifest.ts';
import type { Backup, Prisma } from '../catalog/generated/client.ts';
import { BackupEntryConnectionType, entryListArguments, readEntries } from './backup-entry.ts';
import { BackupTableType } from './backup-table.ts';
import { builder } from './builder.ts';
import { loadStanding, VerificationType, verificationOf } from './certificate.ts';
import { type ConnectionArguments, pageSize, readConnection } from './connection.ts';
import type { SchemaContext } from './context.ts';
import { BundleEncryptionType, BundleSignatureType } from './encryption.ts';
import { TriggerEnum, VerdictEnum } from './enums.ts';
import { findId } from './global-id.ts';
import { orderInput, searchRule } from './list-input.ts';
import { loadSigner } from './load-signer.ts';
import { ManifestType } from './manifest.ts';
import { RecordConnection, RecordNode, readRecords, recordListArguments } from './record.ts';

const BackupContentsType = builder
  .objectRef<{ tables: number; rows: number; files: number; bytes: number }>('BackupContents')
  .implement({
    description: 'What a bundle holds, in numbers.',
    fields: (t) => ({
      tables: t.exposeInt('tables', { description: 'How many tables.' }),
      rows: t.expose('rows', { type: 'BigInt', description: 'How many rows.' }),
      files: t.expose('files', { type: 'BigInt', description: 'How many files.' }),
      bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of content, before compression.' }),
    }),
  });

/** The manifest as it was validated when the backup was made or imported. */
function manifestOf(backup: Pick<Backup, 'manifest'>): Manifest {
  // The catalog takes manifests from the bundle reader and writer only; both validate.
  return backup.manifest as Manifest;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function contentsOf({ database, trees }: Manifest) {
  const tables = database?.tables ?? [];
  return {
    tables: tables.length,
    rows: sum(tables.map(({ rowCount }) => rowCount)),
    files: sum(trees.map(({ fileCount }) => fileCount)),
    bytes: sum([...tables, ...trees].map(({ bytes }) => bytes)),
  };
}

export const BackupNode = builder.prismaNode('Backup', {
  id: { field: 'id' },
  nullable: true,
  description: 'One immutable artefact (a bundle) and what is known of it.',
});

// Apart from the node, since these fields and those of other nodes refer to each other.
builder.prismaObjectFields(BackupNode, (t) => ({
  name: t.exposeString('name', { description: 'File name of the bundle.' }),
  sizeBytes: t.expose('sizeBytes', { type: 'BigInt', description: 'Bytes of the bundle.' }),
  checksum: t.exposeString('checksum', { description: 'SHA-256 of the whole bundle, hexadecimal.' }),
  encrypted: t.boolean({
    description: 'Whether the bundle is sealed, in whatever mode.',
    resolve: (backup) => manifestOf(backup).encryption.mode !== 'NONE',
  }),
  encryption: t.field({
    type: BundleEncryptionType,
    description: 'How the bundle is sealed.',
    resolve: (backup) => manifestOf(backup).encryption,
  }),
  signature: t.field({
    type: BundleSignatureType,
    description: 'Who signed the bundle.',
    resolve: (backup, _args, context) => loadSigner(context, manifestOf(backup)),
  }),
  formatVersion: t.exposeInt('formatVersion', { description: 'Version of the bundle format.' }),
  trigger: t.expose('trigger', { type: TriggerEnum, description: 'Why it was made.' }),
  pinned: t.exposeBoolean('pinned', { description: 'Whether rotations must leave it alone.' }),
  missing: t.exposeBoolean('missing', { description: 'Whether the bundle is gone from storage.' }),
  createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
  manifest: t.field({
    type: ManifestType,
    description: 'What the bundle says of itself.',
    resolve: (backup) => manifestOf(backup),
  }),
  contents: t.field({
    type: BackupContentsType,
    description: 'What the bundle holds, in numbers.',
    resolve: (backup) => contentsOf(manifestOf(backup)),
  }),
  table: t.field({
    type: BackupTableType,
    nullable: true,
    description: 'One table of the backup; null when it holds none of this name.',
    args: {
      schema: t.arg.string({ description: 'Leave it out where the database has no schemas.' }),
      name: t.arg.string({ required: true, description: 'The name within the schema.' }),
    },
    resolve: (backup, { schema, name }) => {
      const tables = manifestOf(backup).database?.tables ?? [];
      const table = tables.find((held) => held.schema === (schema ?? null) && held.name === name);
      return table === undefined ? null : { backupId: backup.id, table };
    },
  }),
  entries: t.field({
    type: BackupEntryConnectionType,
    nullable: true,
    authScopes: { admin: true },
    description:
      'What the backup holds, read from the bundle in the order it stands there. Names of files are content: needs ADMIN.',
    args: entryListArguments,
    complexity: (args) => ({ field: 50, multiplier: pageSize(args) }),
    resolve: ({ id }, args, context) => readEntries(id, args, context),
  }),
  lastVerification: t.field({
    type: VerificationType,
    nullable: true,
    description:
      'The verification whose verdict stands; null when there was none. A shallower look that finds nothing does not lift what a deeper one has found.',
    resolve: (backup, _args, context) => loadStanding(context, backup),
  }),
  certificates: t.field({
    type: [VerificationType],
    description: 'What verifications have found, newest first.',
    args: {
      first: t.arg.int({
        required: true,
        defaultValue: 20,
        description: 'How many: 1 to 100.',
        validate: z.int().min(1, 'must be 1 to 100').max(100, 'must be 1 to 100'),
      }),
    },
    complexity: ({ first }) => ({ field: 1, multiplier: first }),
    select: ({ first }) => ({ certificates: { orderBy: { finishedAt: 'desc' }, take: first } }),
    resolve: ({ certificates }) => certificates.map(verificationOf),
  }),
  source: t.relation('source', {
    nullable: true,
    description: 'The source it was made from; null when that is gone or was never here.',
  }),
  downloadUrl: t.string({
    nullable: true,
    authScopes: { admin: true },
    description:
      'A signed link to the bundle that expires soon; supports Range. Null when the bundle is missing. Needs ADMIN.',
    resolve: ({ id, missing }, _args, context) => (missing ? null : context.signDownload(id)),
  }),
  records: t.connection(
    {
      type: RecordNode,
      description: 'The records that made, read or imported it.',
      args: recordListArguments,
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: ({ id }, args, context, info) => readRecords(args, { backupId: id }, context, info),
    },
    RecordConnection,
  ),
}));

const BackupFilterInput = builder.inputType('BackupFilter', {
  description: 'Which backups to list. Conditions are joined by AND.',
  fields: (t) => ({
    sourceId: t.id({ description: 'Of this source.' }),
    trigger: t.field({ type: [TriggerEnum], description: 'With one of these triggers.' }),
    search: t.string({
      description: 'With this in the name.',
      validate: searchRule,
    }),
    createdAfter: t.field({ type: 'DateTime', description: 'Made at this moment or later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Made before this moment.' }),
    pinned: t.boolean({ description: 'Only pinned ones, or only others.' }),
    missing: t.boolean({ description: 'Only those whose bundle is gone, or only others.' }),
    verdict: t.field({ type: VerdictEnum, description: 'Whose standing verification found this.' }),
    proven: t.boolean({
      description: 'Only those that a drill has restored and found whole, or only others.',
    }),
  }),
});

const BackupOrderFieldEnum = builder.enumType('BackupOrderField', {
  description: 'What backups are sorted by.',
  values: {
    CREATED_AT: { value: 'createdAt', description: 'When they were made.' },
    NAME: { value: 'name', description: 'Their names.' },
    SIZE: { value: 'sizeBytes', description: 'The size of their bundles.' },
  } as const,
});

const BackupOrderInput = orderInput('BackupOrder', 'backups', BackupOrderFieldEnum);

export const BackupConnection = builder.connectionObject(
  { type: BackupNode, name: 'BackupConnection', description: 'A page of backups.' },
  { name: 'BackupEdge', description: 'A backup in its list.' },
);

function whereOf(filter: typeof BackupFilterInput.$inferInput | null | undefined): Prisma.BackupWhereInput {
  if (!filter) return {};
  const { sourceId, trigger, search, createdAfter, createdBefore, pinned, missing, verdict, proven } = filter;
  return {
    // An id of something else matches nothing.
    ...(sourceId && { sourceId: findId('Source', sourceId) ?? '' }),
    ...(trigger && { trigger: { in: trigger } }),
    ...(search && { name: { contains: search } }),
    ...((createdAfter || createdBefore) && {
      createdAt: { ...(createdAfter && { gte: createdAfter }), ...(createdBefore && { lt: createdBefore }) },
    }),
    ...(typeof pinned === 'boolean' && { pinned }),
    ...(typeof missing === 'boolean' && { missing }),
    ...(verdict && { lastVerdict: verdict }),
    ...(typeof proven === 'boolean' && {
      certificates: { [proven ? 'some' : 'none']: { level: 'RESTORE', verdict: 'PASSED' } },
    }),
  };
}

/** Arguments that every list of backups takes. */
export const backupListArguments = builder.args((t) => ({
  filter: t.field({ type: BackupFilterInput, description: 'Which backups to list; all when left out.' }),
  orderBy: t.field({ type: BackupOrderInput, description: 'How to sort; newest first when left out.' }),
}));

type BackupListArguments = ConnectionArguments & {
  filter?: typeof BackupFilterInput.$inferInput | null | undefined;
  orderBy?: typeof BackupOrderInput.$inferInput | null | undefined;
};

/** One page of the backups within `scope`; those being deleted are not shown. */
export function readBackups(
  args: BackupListArguments,
  scope: Prisma.BackupWhereInput,
  context: SchemaContext,
  info: Parameters<typeof queryFromInfo>[0]['info'],
) {
  const filter: Prisma.BackupWhereInput = { AND: [{ deletingAt: null }, scope, whereOf(args.filter)] };
  const query: object = queryFromInfo({ context, info, typeName: 'Backup', path: ['edges', 'node'] });
  return readConnection<Backup>(
    args,
    { column: args.orderBy?.field ?? 'createdAt', direction: args.orderBy?.direction ?? 'desc' },
    ({ where, ...page }) =>
      context.prisma.backup.findMany({ ...query, ...page, where: { AND: [filter, where] } }),
    () => context.prisma.backup.count({ where: filter }),
  );
}

builder.queryFields((t) => ({
  backup: t.prismaField({
    type: BackupNode,
    nullable: true,
    description: 'The backup with this id; null when the workspace has none.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, { prisma }) =>
      prisma.backup.findUnique({ ...query, where: { id: findId('Backup', id) ?? '' } }),
  }),
  backups: t.connection(
    {
      type: BackupNode,
      description: 'The backups of the workspace.',
      args: backupListArguments,
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: (_root, args, context, info) => readBackups(args, {}, context, info),
    },
    BackupConnection,
  ),
}));
