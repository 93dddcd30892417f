/** Backups in the catalog. */
import { HoldfastError } from '../errors.ts';
import type { BackupRepository, VerifyLevel } from './catalog.ts';
import type { PrismaClient } from './generated/client.ts';
import { isUniqueViolation } from './prisma-errors.ts';
import { requireInWorkspace } from './references.ts';
import { toBackupRow, toCertificateRow, toJson } from './rows.ts';

/** From the shallowest to the deepest. */
const LEVELS: readonly VerifyLevel[] = ['CHECKSUM', 'CONTENT', 'RESTORE'];

/** The backups of the catalog. */
export function prismaBackups(prisma: PrismaClient): BackupRepository {
  return {
    async find(workspaceId, id) {
      const row = await prisma.backup.findFirst({ where: { id, workspaceId } });
      return row === null ? undefined : toBackupRow(row);
    },

    async findByStorageKey(storageKey) {
      const row = await prisma.backup.findUnique({ where: { storageKey } });
      return row === null ? undefined : toBackupRow(row);
    },

    async create(backup) {
      try {
        const row = await prisma.$transaction(async (tx) => {
          await requireInWorkspace(tx, backup);
          return tx.backup.create({ data: { ...backup, manifest: toJson(backup.manifest) } });
        });
        return toBackupRow(row);
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new HoldfastError('INVALID_INPUT', `A backup named "${backup.name}" exists already.`, {
          field: 'name',
          hint: 'It is in the catalog already; there is nothing to add.',
          cause: error,
        });
      }
    },

    summaries(workspaceId, sourceId) {
      return prisma.backup.findMany({
        where: { workspaceId, ...(sourceId !== null && { sourceId }), deletingAt: null },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        select: {
          id: true,
          name: true,
          sourceId: true,
          jobId: true,
          trigger: true,
          pinned: true,
          missing: true,
          createdAt: true,
          sizeBytes: true,
          lastVerdict: true,
          lastVerifiedAt: true,
        },
      });
    },

    async setPinned(workspaceId, id, pinned) {
      const [row] = await prisma.backup.updateManyAndReturn({ where: { id, workspaceId }, data: { pinned } });
      return row === undefined ? undefined : toBackupRow(row);
    },

    async setMissing(id, missing) {
      await prisma.backup.updateMany({ where: { id }, data: { missing } });
    },

    stored(workspaceId, after, count) {
      return prisma.backup.findMany({
        where: { workspaceId, deletingAt: null, ...(after !== null && { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: count,
        select: { id: true, name: true, storageKey: true, missing: true },
      });
    },

    async anyStored(workspaceId) {
      const where = { workspaceId, missing: false };
      return (await prisma.backup.findFirst({ where, select: { id: true } })) !== null;
    },

    async knownKeys(storageKeys) {
      const rows = await prisma.backup.findMany({
        where: { storageKey: { in: [...storageKeys] } },
        select: { storageKey: true },
      });
      return new Set(rows.map(({ storageKey }) => storageKey));
    },

    async workspaces() {
      const rows = await prisma.backup.groupBy({ by: ['workspaceId'] });
      return rows.map(({ workspaceId }) => workspaceId);
    },

    async certify(certificate) {
      const { backupId, finishedAt, level, verdict, message } = certificate;
      const row = await prisma.$transaction(async (tx) => {
        const deeper = await tx.certificate.findFirst({
          where: { backupId, level: { in: LEVELS.slice(LEVELS.indexOf(level) + 1) } },
          orderBy: { finishedAt: 'desc' },
        });
        const where = { id: backupId };
        const data = {
          lastVerifiedAt: finishedAt,
          lastVerdict: verdict,
          lastVerifyMessage: verdict === 'PASSED' ? null : message,
        };
        const stands =
          (verdict !== 'FAILED' && deeper?.verdict === 'FAILED') ||
          // What could not be looked into is not proven by a look at the surface.
          (verdict === 'PASSED' && deeper?.verdict === 'UNPROVEN');
        const count = stands
          ? await tx.backup.count({ where })
          : (await tx.backup.updateMany({ where, data })).count;
        if (count === 0)
          throw new HoldfastError('NOT_FOUND', 'The backup was deleted while it was verified.');
        return await tx.certificate.create({
          data: { ...certificate, tables: toJson(certificate.tables) },
        });
      });
      return toCertificateRow(row);
    },

    async markDeleting(id, at) {
      await prisma.backup.updateMany({ where: { id }, data: { deletingAt: at } });
    },

    async deleting() {
      const rows = await prisma.backup.findMany({
        where: { deletingAt: { not: null } },
        orderBy: { deletingAt: 'asc' },
      });
      return rows.map(toBackupRow);
    },

    async delete(id) {
      await prisma.backup.deleteMany({ where: { id } });
    },
  };
}
