/** Sources: what is backed up. Never shows a secret. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { Prisma, Source } from '../catalog/generated/client.ts';
import type { FileTree } from '../source/file-trees.ts';
import type { ClearedColumns, DatabaseKind } from '../source/source.ts';
import { BackupConnection, BackupNode, backupListArguments, readBackups } from './backup.ts';
import { builder } from './builder.ts';
import { pageSize, readConnection } from './connection.ts';
import { TableNameType } from './database-names.ts';
import { DatabaseKindEnum } from './enums.ts';
import { findId } from './global-id.ts';
import { orderInput, searchRule } from './list-input.ts';
import { loadProof } from './load-proof.ts';
import { LockType } from './lock.ts';
import { RecordConnection, RecordNode, readRecords, recordListArguments } from './record.ts';
import { clearedColumnsOf, configTreesOf, excludedTablesOf, treesOf } from './source-columns.ts';

const SourceDatabaseType = builder
  .objectRef<{ kind: DatabaseKind; label: string }>('SourceDatabase')
  .implement({
    description: 'The database of a source, without its secrets.',
    fields: (t) => ({
      kind: t.expose('kind', { type: DatabaseKindEnum, description: 'Its kind.' }),
      label: t.exposeString('label', {
        description: 'Where it is: the path of the file, or host, port and name. Never a password.',
      }),
    }),
  });

const ClearedColumnsType = builder.objectRef<ClearedColumns>('ClearedColumns').implement({
  description: 'Columns that a restore sets to NULL: runtime references that mean nothing afterwards.',
  fields: (t) => ({
    table: t.expose('table', { type: TableNameType, description: 'The table.' }),
    columns: t.stringList({ description: 'The columns.', resolve: ({ columns }) => columns }),
  }),
});

const FileTreeType = builder.objectRef<FileTree>('FileTree').implement({
  description: 'A directory that is backed up.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name in bundles.' }),
    path: t.exposeString('path', { description: 'Where it is on the host of the server.' }),
    include: t.stringList({
      description: 'Globs of what is taken; everything when empty.',
      resolve: ({ include }) => include,
    }),
    exclude: t.stringList({
      description: 'Globs of what is not taken; they win.',
      resolve: ({ exclude }) => exclude,
    }),
  }),
});

const EnvFileType = builder.objectRef<{ path: string; restorePath: string | null }>('EnvFile').implement({
  description: 'A file with settings and secrets; taken only when asked for.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'Where it is read from.' }),
    restorePath: t.exposeString('restorePath', {
      nullable: true,
      description: 'Where a restore writes it; null when it is not restored.',
    }),
  }),
});

const SourceDrillType = builder
  .objectRef<{ label: string | null; onOwnServer: boolean }>('SourceDrill')
  .implement({
    description: 'Where drills (verifications of level RESTORE) may make databases, without its secrets.',
    fields: (t) => ({
      label: t.exposeString('label', {
        nullable: true,
        description: 'Host, port and name of the scratch server; null for none. Never a password.',
      }),
      onOwnServer: t.exposeBoolean('onOwnServer', {
        description: 'Whether they may be made on the server of the source itself.',
      }),
    }),
  });

export const SourceNode = builder.prismaNode('Source', {
  id: { field: 'id' },
  nullable: true,
  description: 'What is backed up: one database (optional), file trees, configuration and an env file.',
});

// Apart from the node, since these fields and those of other nodes refer to each other.
builder.prismaObjectFields(SourceNode, (t) => ({
  name: t.exposeString('name', { description: 'Its name, unique in the workspace.' }),
  createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
  updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  database: t.field({
    type: SourceDatabaseType,
    nullable: true,
    description: 'Its database; null when it has none.',
    resolve: ({ databaseKind, databaseLabel }) =>
      databaseKind === null ? null : { kind: databaseKind, label: databaseLabel ?? '' },
  }),
  excludedTables: t.field({
    type: [TableNameType],
    description: 'Tables that are not backed up.',
    resolve: excludedTablesOf,
  }),
  clearedColumns: t.field({
    type: [ClearedColumnsType],
    description: 'Columns that a restore sets to NULL.',
    resolve: clearedColumnsOf,
  }),
  trees: t.field({
    type: [FileTreeType],
    description: 'Its file trees.',
    resolve: treesOf,
  }),
  configTrees: t.field({
    type: [FileTreeType],
    description: 'Its configuration directories.',
    resolve: configTreesOf,
  }),
  envFile: t.field({
    type: EnvFileType,
    nullable: true,
    description: 'Its env file; null when it has none.',
    resolve: ({ envFilePath, envRestorePath }) =>
      envFilePath === null ? null : { path: envFilePath, restorePath: envRestorePath },
  }),
  drill: t.field({
    type: SourceDrillType,
    description: 'Where drills of its backups may make databases.',
    resolve: ({ drillLabel, drillOnOwnServer }) => ({ label: drillLabel, onOwnServer: drillOnOwnServer }),
  }),
  lastProvenAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When a drill last restored one of its backups and found it whole; null when none of those that are there was.',
    resolve: async ({ id }, _args, context) => (await loadProof(context, id))?.at ?? null,
  }),
  measuredRtoSeconds: t.float({
    nullable: true,
    description:
      'Seconds that restore took: reading and checking the bundle, structure, rows, files, keys, commit and reading all of it back. Null as `lastProvenAt`.',
    resolve: async ({ id }, _args, context) => (await loadProof(context, id))?.restoreSeconds ?? null,
  }),
  lock: t.field({
    type: LockType,
    nullable: true,
    description: 'Who works on it now; null when nobody does.',
    select: (_args, _context, nested) => ({ lock: nested(true) }),
    resolve: ({ lock }) => (lock !== null && lock.expiresAt.getTime() > Date.now() ? lock : null),
  }),
  backups: t.connection(
    {
      type: BackupNode,
      description: 'The backups made from it.',
      args: backupListArguments,
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: ({ id }, args, context, info) => readBackups(args, { sourceId: id }, context, info),
    },
    BackupConnection,
  ),
  records: t.connection(
    {
      type: RecordNode,
      description: 'The records that work or worked on it.',
      args: recordListArguments,
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: ({ id }, args, context, info) => readRecords(args, { sourceId: id }, context, info),
    },
    RecordConnection,
  ),
}));

const SourceFilterInput = builder.inputType('SourceFilter', {
  description: 'Which sources to list. Conditions are joined by AND.',
  fields: (t) => ({
    search: t.string({
      description: 'With this in the name.',
      validate: searchRule,
    }),
    databaseKind: t.field({
      type: [DatabaseKindEnum],
      description: 'With a database of one of these kinds.',
    }),
  }),
});

const SourceOrderFieldEnum = builder.enumType('SourceOrderField', {
  description: 'What sources are sorted by.',
  values: {
    NAME: { value: 'name', description: 'Their names.' },
    CREATED_AT: { value: 'createdAt', description: 'When they were made.' },
  } as const,
});

const SourceOrderInput = orderInput('SourceOrder', 'sources', SourceOrderFieldEnum);

const SourceConnection = builder.connectionObject(
  { type: SourceNode, name: 'SourceConnection', description: 'A page of sources.' },
  { name: 'SourceEdge', description: 'A source in its list.' },
);

builder.queryFields((t) => ({
  source: t.prismaField({
    type: SourceNode,
    nullable: true,
    description: 'The source with this id; null when the workspace has none.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, { prisma }) =>
      prisma.source.findUnique({ ...query, where: { id: findId('Source', id) ?? '' } }),
  }),
  sources: t.connection(
    {
      type: SourceNode,
      description: 'The sources of the workspace.',
      args: {
        filter: t.arg({ type: SourceFilterInput, description: 'Which sources to list; all when left out.' }),
        orderBy: t.arg({ type: SourceOrderInput, description: 'How to sort; by name when left out.' }),
      },
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: (_root, args, context, info) => {
        const { search, databaseKind } = args.filter ?? {};
        const filter: Prisma.SourceWhereInput = {
          ...(search && { name: { contains: search } }),
          ...(databaseKind && { databaseKind: { in: databaseKind } }),
        };
        const query: object = queryFromInfo({ context, info, typeName: 'Source', path: ['edges', 'node'] });
        return readConnection<Source>(
          args,
          { column: args.orderBy?.field ?? 'name', direction: args.orderBy?.direction ?? 'asc' },
          ({ where, ...page }) =>
            context.prisma.source.findMany({ ...query, ...page, where: { AND: [filter, where] } }),
          () => context.prisma.source.count({ where: filter }),
        );
      },
    },
    SourceConnection,
  ),
}));
