/** What a source would give to a backup. */
import type { SourceReport } from '../engine/engine.ts';
import type { SkippedEntry } from '../source/file-trees.ts';
import type { Column } from '../source/source.ts';
import { builder } from './builder.ts';
import { TableNameType } from './database-names.ts';
import { DatabaseKindEnum, TreeAreaEnum } from './enums.ts';
import { ForeignKeyType, LeftOutType } from './manifest.ts';

type DatabaseReport = NonNullable<SourceReport['database']>;

const ColumnType = builder.objectRef<Column>('Column').implement({
  description: 'A column of a live table.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    type: t.exposeString('type', { description: 'Its type, as the database prints it.' }),
    nullable: t.exposeBoolean('nullable', { description: 'Whether it may be NULL.' }),
    hasDefault: t.exposeBoolean('hasDefault', {
      description: 'Whether the database fills it when a row does not name it.',
    }),
    generated: t.exposeBoolean('generated', {
      description: 'Whether the database computes it; such columns are not backed up.',
    }),
  }),
});

const ReportedTableType = builder.objectRef<DatabaseReport['tables'][number]>('ReportedTable').implement({
  description: 'A table that would be backed up.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    columns: t.field({ type: [ColumnType], description: 'Its columns.', resolve: ({ columns }) => columns }),
    foreignKeys: t.field({
      type: [ForeignKeyType],
      description: 'Its foreign keys.',
      resolve: ({ foreignKeys }) => foreignKeys,
    }),
    rowEstimate: t.expose('rowEstimate', {
      type: 'BigInt',
      description: 'Rows, as the statistics of the database estimate them.',
    }),
  }),
});

const CyclicForeignKeyType = builder
  .objectRef<DatabaseReport['cyclicForeignKeys'][number]>('CyclicForeignKey')
  .implement({
    description: 'A foreign key that is part of a cycle.',
    fields: (t) => ({
      table: t.expose('table', { type: TableNameType, description: 'The table that has it.' }),
      foreignKey: t.exposeString('foreignKey', { description: 'Its name.' }),
    }),
  });

const ReportedDatabaseType = builder.objectRef<DatabaseReport>('ReportedDatabase').implement({
  description: 'The database as a backup would see it.',
  fields: (t) => ({
    kind: t.expose('kind', { type: DatabaseKindEnum, description: 'Its kind.' }),
    serverVersion: t.exposeString('serverVersion', { description: 'The version of the database program.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    tables: t.field({
      type: [ReportedTableType],
      description: 'The tables, parents before children.',
      resolve: ({ tables }) => tables,
    }),
    cyclicForeignKeys: t.field({
      type: [CyclicForeignKeyType],
      description: 'Foreign keys that form cycles; a restore sets them aside while it loads.',
      resolve: ({ cyclicForeignKeys }) => cyclicForeignKeys,
    }),
  }),
});

const SkippedEntryType = builder.objectRef<SkippedEntry>('SkippedEntry').implement({
  description: 'A path that cannot be backed up.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'Relative to the tree.' }),
    reason: t.exposeString('reason', { description: 'Why.' }),
  }),
});

const ReportedTreeType = builder.objectRef<SourceReport['trees'][number]>('ReportedTree').implement({
  description: 'A tree of files as a backup would see it.',
  fields: (t) => ({
    area: t.expose('area', { type: TreeAreaEnum, description: 'Files or configuration.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    files: t.expose('files', { type: 'BigInt', description: 'Files that would be taken.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Their bytes.' }),
    skipped: t.field({
      type: [SkippedEntryType],
      description: 'What could not be taken.',
      resolve: ({ skipped }) => skipped,
    }),
  }),
});

const DrillReportType = builder.objectRef<NonNullable<SourceReport['drill']>>('DrillReport').implement({
  description: 'Whether backups of a source can be drilled (verified with level RESTORE).',
  fields: (t) => ({
    possible: t.exposeBoolean('possible', { description: 'Whether a drill finds a place for its database.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why not, and what to set.' }),
  }),
});

export const SourceReportType = builder.objectRef<SourceReport>('SourceReport').implement({
  description: 'What a source would give to a backup.',
  fields: (t) => ({
    database: t.expose('database', {
      type: ReportedDatabaseType,
      nullable: true,
      description: 'Its database; null when it has none.',
    }),
    trees: t.field({ type: [ReportedTreeType], description: 'Its trees.', resolve: ({ trees }) => trees }),
    drill: t.expose('drill', {
      type: DrillReportType,
      nullable: true,
      description: 'Whether its backups can be drilled; null without a database.',
    }),
    leftOut: t.field({
      type: [LeftOutType],
      description: 'What would be left out, and why.',
      resolve: ({ leftOut }) => leftOut,
    }),
    warnings: t.stringList({
      description: 'What one should know.',
      resolve: ({ warnings }) => warnings,
    }),
  }),
});
