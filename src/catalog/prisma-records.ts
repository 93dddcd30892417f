/** Records and their events in the catalog. */
import { HoldfastError } from '../errors.ts';
import { NO_PROGRESS, type RecordChange, type RecordRepository, type RecordStatus } from './catalog.ts';
import { Prisma, type PrismaClient } from './generated/client.ts';
import { requireInWorkspace } from './references.ts';
import { toJson, toRecordEventRow, toRecordRow } from './rows.ts';

/** Statuses of a record that still has something to do. */
const UNFINISHED: RecordStatus[] = ['QUEUED', 'RUNNING', 'CANCELING'];
const RUNNING: RecordStatus[] = ['RUNNING', 'CANCELING'];

const NO_LEASE = { leaseOwner: null, leaseUntil: null };

/** A change in the form of Prisma: only what is in it, and SQL NULL for null. */
function toColumns(change: RecordChange): Prisma.RecordUncheckedUpdateManyInput {
  const { request, phases, progress, warnings, error, result, ...plain } = change;
  return {
    ...plain,
    ...(request !== undefined && { request: request === null ? Prisma.JsonNull : toJson(request) }),
    ...(phases !== undefined && { phases: toJson(phases) }),
    ...(progress !== undefined && { progress: toJson(progress) }),
    ...(warnings !== undefined && { warnings: toJson(warnings) }),
    ...(error !== undefined && { error: error === null ? Prisma.DbNull : toJson(error) }),
    ...(result !== undefined && { result: result === null ? Prisma.DbNull : toJson(result) }),
  };
}

function leaseLost(id: string): HoldfastError {
  return new HoldfastError('LOCK_LOST', `The record ${id} is finished or was taken over by another server.`, {
    hint: 'Look at the record to see what became of it.',
  });
}

/** A cancellation that was asked for is never unasked by somebody who has not seen it yet. */
async function keepCanceling(
  tx: Prisma.TransactionClient,
  id: string,
  change: RecordChange,
): Promise<RecordChange> {
  if (change.status !== 'RUNNING') return change;
  const canceling = await tx.record.count({ where: { id, status: 'CANCELING' } });
  return canceling === 0 ? change : { ...change, status: 'CANCELING' };
}

/** The records of the catalog. */
export function prismaRecords(prisma: PrismaClient): RecordRepository {
  return {
    async find(workspaceId, id) {
      const row = await prisma.record.findFirst({ where: { id, workspaceId } });
      return row === null ? undefined : toRecordRow(row);
    },

    async create(record) {
      const row = await prisma.$transaction(async (tx) => {
        await requireInWorkspace(tx, record);
        return tx.record.create({
          data: {
            ...record,
            request: record.request === null ? Prisma.JsonNull : toJson(record.request),
            phases: [],
            progress: toJson(NO_PROGRESS),
            warnings: [],
            lastSequence: 1,
            events: { create: { sequence: 1, type: 'RECORD_CHANGED', occurredAt: new Date() } },
          },
        });
      });
      return toRecordRow(row);
    },

    async claim(id, owner, until, deadOwner) {
      const { count } = await prisma.record.updateMany({
        where: {
          id,
          status: { in: UNFINISHED },
          OR: [
            { leaseOwner: null },
            { leaseOwner: owner },
            { leaseUntil: { lte: new Date() } },
            ...(deadOwner === undefined ? [] : [{ leaseOwner: deadOwner }]),
          ],
        },
        data: { leaseOwner: owner, leaseUntil: until },
      });
      return count > 0;
    },

    append(id, owner, change, event) {
      return prisma.$transaction(async (tx) => {
        const kept = await keepCanceling(tx, id, change);
        const finished = kept.status !== undefined && !UNFINISHED.includes(kept.status);
        const [row] = await tx.record.updateManyAndReturn({
          where: { id, leaseOwner: owner, status: { in: UNFINISHED } },
          data: { ...toColumns(kept), ...(finished && NO_LEASE), lastSequence: { increment: 1 } },
        });
        if (row === undefined) throw leaseLost(id);
        const eventRow = await tx.recordEvent.create({
          data: {
            recordId: id,
            sequence: row.lastSequence,
            type: event.type,
            occurredAt: new Date(),
            phase: event.phase === null ? Prisma.DbNull : toJson(event.phase),
          },
        });
        return { record: toRecordRow(row), event: toRecordEventRow(eventRow) };
      });
    },

    async saveProgress(id, owner, phases, progress) {
      await prisma.record.updateMany({
        where: { id, leaseOwner: owner, status: { in: RUNNING } },
        data: { phases: toJson(phases), progress: toJson(progress) },
      });
    },

    async renewLease(id, owner, until) {
      const { count } = await prisma.record.updateMany({
        where: { id, leaseOwner: owner, status: { in: UNFINISHED } },
        data: { leaseUntil: until },
      });
      return count > 0;
    },

    requestCancel(workspaceId, id) {
      return prisma.$transaction(async (tx) => {
        const before = await tx.record.findFirst({ where: { id, workspaceId } });
        if (before === null) return undefined;
        const now = new Date();
        const queued = before.status === 'QUEUED';
        if (!queued && before.status !== 'RUNNING') return { record: toRecordRow(before), event: undefined };
        const row = await tx.record.update({
          where: { id },
          data: {
            ...(queued ? { status: 'CANCELED', finishedAt: now, ...NO_LEASE } : { status: 'CANCELING' }),
            lastSequence: { increment: 1 },
          },
        });
        const event = await tx.recordEvent.create({
          data: {
            recordId: id,
            sequence: row.lastSequence,
            type: queued ? 'RECORD_FINISHED' : 'RECORD_CHANGED',
            occurredAt: now,
          },
        });
        return { record: toRecordRow(row), event: toRecordEventRow(event) };
      });
    },

    async unfinished() {
      const rows = await prisma.record.findMany({
        where: { status: { in: UNFINISHED } },
        orderBy: [{ queuedAt: 'asc' }, { id: 'asc' }],
      });
      return rows.map(toRecordRow);
    },

    async running(workspaceId) {
      const rows = await prisma.record.findMany({
        where: { workspaceId, status: { in: RUNNING } },
        orderBy: [{ queuedAt: 'asc' }, { id: 'asc' }],
      });
      return rows.map(toRecordRow);
    },

    async eventsAfter(recordId, afterSequence) {
      const rows = await prisma.recordEvent.findMany({
        where: { recordId, sequence: { gt: afterSequence } },
        orderBy: { sequence: 'asc' },
      });
      return rows.map(toRecordEventRow);
    },

    async latestCreate(sourceId) {
      const row = await prisma.record.findFirst({
        where: { sourceId, kind: 'CREATE', trigger: { not: 'PRE_RESTORE' }, finishedAt: { not: null } },
        orderBy: [{ finishedAt: 'desc' }, { id: 'desc' }],
      });
      return row === null ? undefined : toRecordRow(row);
    },
  };
}
