/** Records: executions of operations. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { PhaseState, RecordError } from '../catalog/catalog.ts';
import type { Prisma, Record } from '../catalog/generated/client.ts';
import type { RecordResult } from '../engine/record-result.ts';
import { builder } from './builder.ts';
import { type ConnectionArguments, pageSize, readConnection } from './connection.ts';
import type { SchemaContext } from './context.ts';
import { TriggerEnum } from './enums.ts';
import { ErrorCodeEnum } from './errors.ts';
import { findId } from './global-id.ts';
import { orderInput, searchRule } from './list-input.ts';
import { oncePerRow } from './once-per-row.ts';
import { PhaseNameEnum, PhaseType, ProgressType, progressOf } from './progress.ts';
import { RecordResultType } from './record-result.ts';

const RecordKindEnum = builder.enumType('RecordKind', {
  description: 'What a record executes.',
  values: {
    CREATE: { description: 'Makes a backup.' },
    RESTORE: { description: 'Restores a backup or an uploaded bundle.' },
    VERIFY: { description: 'Reads a backup and checks all of it.' },
    ROTATE: { description: 'Deletes the backups that a retention policy does not keep.' },
    IMPORT: { description: 'Takes an uploaded bundle in as a backup.' },
    SELF_TEST: { description: 'Backs up a canary, destroys, restores and compares it; nothing of it stays.' },
  } as const,
});

const RecordStatusEnum = builder.enumType('RecordStatus', {
  description: 'Where a record stands.',
  values: {
    QUEUED: { description: 'Waits for its turn.' },
    RUNNING: { description: 'At work.' },
    CANCELING: { description: 'Asked to stop; cleans up.' },
    CANCELED: { description: 'Stopped on request; nothing half-made stayed.' },
    SUCCEEDED: { description: 'Done.' },
    FAILED: { description: 'Ended by an error; see `error`.' },
  } as const,
});

const RecordErrorType = builder.objectRef<RecordError>('RecordError').implement({
  description: 'Why a record failed.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'What happened, for programs.' }),
    phase: t.expose('phase', {
      type: PhaseNameEnum,
      nullable: true,
      description: 'The step it happened in; null before the first.',
    }),
    message: t.exposeString('message', { description: 'What happened, for people.' }),
    hint: t.exposeString('hint', { nullable: true, description: 'What to do about it.' }),
  }),
});

export const RecordNode = builder.prismaNode('Record', {
  id: { field: 'id' },
  nullable: true,
  description: 'One execution of an operation: what it does, how far it is, what came of it.',
});

// Apart from the node, since these fields and those of other nodes refer to each other.
builder.prismaObjectFields(RecordNode, (t) => ({
  kind: t.expose('kind', { type: RecordKindEnum, description: 'What it executes.' }),
  status: t.expose('status', { type: RecordStatusEnum, description: 'Where it stands.' }),
  trigger: t.expose('trigger', { type: TriggerEnum, description: 'Why it came to be.' }),
  requestedBy: t.exposeString('requestedBy', { description: 'Name of the member who asked for it.' }),
  phases: t.field({
    type: [PhaseType],
    description: 'Its steps so far, in order of start.',
    // Json columns hold what the engine wrote: see the comments of prisma/schema.prisma.
    resolve: (record) => record.phases as PhaseState[],
  }),
  progress: t.field({
    type: ProgressType,
    description: 'How far it is as a whole.',
    resolve: (record) => progressOf(record.progress),
  }),
  warnings: t.stringList({
    description: 'What went not quite as it should.',
    resolve: (record) => record.warnings as string[],
  }),
  error: t.field({
    type: RecordErrorType,
    nullable: true,
    description: 'Why it failed; null when it did not.',
    resolve: (record) => record.error as RecordError | null,
  }),
  result: t.field({
    type: RecordResultType,
    nullable: true,
    description: 'What came of it; null until there is something to tell.',
    resolve: (record) => record.result as RecordResult | null,
  }),
  sizeBytes: t.expose('sizeBytes', {
    type: 'BigInt',
    nullable: true,
    description: 'Bytes of the bundle made or read; null until known.',
  }),
  checksum: t.exposeString('checksum', {
    nullable: true,
    description: 'SHA-256 of the bundle made or read; null until known.',
  }),
  lastSequence: t.exposeInt('lastSequence', {
    description: 'Number of the newest state event: pass it to recordProgress as `afterSequence`.',
  }),
  queuedAt: t.expose('queuedAt', { type: 'DateTime', description: 'When it was asked for.' }),
  startedAt: t.expose('startedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it began; null while it waits.',
  }),
  finishedAt: t.expose('finishedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it ended; null until then.',
  }),
  source: t.relation('source', {
    nullable: true,
    description: 'The source it works on; null when there is none (any more).',
    resolve: (query, record, _args, { prisma }) =>
      oncePerRow(record, 'source', query, async () =>
        record.sourceId === null
          ? null
          : await prisma.source.findUnique({ ...query, where: { id: record.sourceId } }),
      ),
  }),
  backup: t.relation('backup', {
    nullable: true,
    description: 'The backup that is made, read or imported; null when there is none (yet, or any more).',
    resolve: (query, record, _args, { prisma }) =>
      oncePerRow(record, 'backup', query, async () =>
        record.backupId === null
          ? null
          : await prisma.backup.findUnique({ ...query, where: { id: record.backupId } }),
      ),
  }),
  parent: t.relation('parent', {
    nullable: true,
    description: 'The record on whose behalf this one runs: the restore, for a pre-restore backup.',
    resolve: (query, record, _args, { prisma }) =>
      oncePerRow(record, 'parent', query, async () =>
        record.parentId === null
          ? null
          : await prisma.record.findUnique({ ...query, where: { id: record.parentId } }),
      ),
  }),
}));

const RecordFilterInput = builder.inputType('RecordFilter', {
  description: 'Which records to list. Conditions are joined by AND.',
  fields: (t) => ({
    kind: t.field({ type: [RecordKindEnum], description: 'Of one of these kinds.' }),
    status: t.field({ type: [RecordStatusEnum], description: 'In one of these states.' }),
    trigger: t.field({ type: [TriggerEnum], description: 'With one of these triggers.' }),
    sourceId: t.id({ description: 'Of this source.' }),
    backupId: t.id({ description: 'Of this backup.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Asked for at this moment or later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Asked for before this moment.' }),
    search: t.string({
      description: 'Whose member, source or backup has this in its name.',
      validate: searchRule,
    }),
  }),
});

const RecordOrderFieldEnum = builder.enumType('RecordOrderField', {
  description: 'What records are sorted by.',
  values: { QUEUED_AT: { value: 'queuedAt', description: 'When they were asked for.' } } as const,
});

const RecordOrderInput = orderInput('RecordOrder', 'records', RecordOrderFieldEnum);

const RecordConnection = builder.connectionObject(
  { type: RecordNode, name: 'RecordConnection', description: 'A page of records.' },
  { name: 'RecordEdge', description: 'A record in its list.' },
);

function whereOf(filter: typeof RecordFilterInput.$inferInput | null | undefined): Prisma.RecordWhereInput {
  if (!filter) return {};
  const { kind, status, trigger, sourceId, backupId, createdAfter, createdBefore, search } = filter;
  return {
    ...(kind && { kind: { in: kind } }),
    ...(status && { status: { in: status } }),
    ...(trigger && { trigger: { in: trigger } }),
    // An id of something else matches nothing.
    ...(sourceId && { sourceId: findId('Source', sourceId) ?? '' }),
    ...(backupId && { backupId: findId('Backup', backupId) ?? '' }),
    ...((createdAfter || createdBefore) && {
      queuedAt: { ...(createdAfter && { gte: createdAfter }), ...(createdBefore && { lt: createdBefore }) },
    }),
    ...(search && {
      OR: [
        { requestedBy: { contains: search } },
        { source: { name: { contains: search } } },
        { backup: { name: { contains: search } } },
      ],
    }),
  };
}

/** Arguments that every list of records takes. */
export const recordListArguments = builder.args((t) => ({
  filter: t.field({ type: RecordFilterInput, description: 'Which records to list; all when left out.' }),
  orderBy: t.field({ type: RecordOrderInput, description: 'How to sort; newest first when left out.' }),
}));

type RecordListArguments = ConnectionArguments & {
  filter?: typeof RecordFilterInput.$inferInput | null | undefined;
  orderBy?: typeof RecordOrderInput.$inferInput | null | undefined;
};

/** One page of the records within `scope`. */
export function readRecords(
  args: RecordListArguments,
  scope: Prisma.RecordWhereInput,
  context: SchemaContext,
  info: Parameters<typeof queryFromInfo>[0]['info'],
) {
  const filter: Prisma.RecordWhereInput = { AND: [scope, whereOf(args.filter)] };
  const query: object = queryFromInfo({ context, info, typeName: 'Record', path: ['edges', 'node'] });
  return readConnection<Record>(
    args,
    { column: args.orderBy?.field ?? 'queuedAt', direction: args.orderBy?.direction ?? 'desc' },
    ({ where, ...page }) =>
      context.prisma.record.findMany({ ...query, ...page, where: { AND: [filter, where] } }),
    () => context.prisma.record.count({ where: filter }),
  );
}

builder.queryFields((t) => ({
  record: t.prismaField({
    type: RecordNode,
    nullable: true,
    description: 'The record with this id; null when the workspace has none.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, { prisma }) =>
      prisma.record.findUnique({ ...query, where: { id: findId('Record', id) ?? '' } }),
  }),
  records: t.connection(
    {
      type: RecordNode,
      description: 'The records of the workspace.',
      args: recordListArguments,
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: (_root, args, context, info) => readRecords(args, {}, context, info),
    },
    RecordConnection,
  ),
}));

export { RecordConnection };
