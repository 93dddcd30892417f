/** The locks of sources. Fencing tokens come from a counter of the source, so they grow for ever. */
import { HoldfastError } from '../errors.ts';
import type { LockRepository } from './catalog.ts';
import type { PrismaClient } from './generated/client.ts';
import { isMissingRow } from './prisma-errors.ts';

/** The locks of the catalog. */
export function prismaLocks(prisma: PrismaClient): LockRepository {
  return {
    async acquire(sourceId, recordId, owner, until) {
      try {
        return await prisma.$transaction(async (tx) => {
          const now = new Date();
          const held = await tx.lock.findUnique({ where: { sourceId } });
          if (held !== null && held.expiresAt > now) {
            const ours = held.recordId === recordId && held.owner === owner;
            return ours ? tx.lock.update({ where: { sourceId }, data: { expiresAt: until } }) : undefined;
          }
          const { lockCounter } = await tx.source.update({
            where: { id: sourceId },
            data: { lockCounter: { increment: 1 } },
            select: { lockCounter: true },
          });
          const lock = { recordId, owner, token: lockCounter, acquiredAt: now, expiresAt: until };
          return tx.lock.upsert({ where: { sourceId }, create: { sourceId, ...lock }, update: lock });
        });
      } catch (error) {
        if (isMissingRow(error)) throw new HoldfastError('NOT_FOUND', `There is no source ${sourceId}.`);
        throw error;
      }
    },

    async renew(sourceId, token, until) {
      const { count } = await prisma.lock.updateMany({
        where: { sourceId, token },
        data: { expiresAt: until },
      });
      return count > 0;
    },

    async release(sourceId, token) {
      await prisma.lock.deleteMany({ where: { sourceId, token } });
    },

    async releaseOf(recordId) {
      await prisma.lock.deleteMany({ where: { recordId } });
    },

    async find(sourceId) {
      return (await prisma.lock.findUnique({ where: { sourceId } })) ?? undefined;
    },

    all() {
      return prisma.lock.findMany({ orderBy: { sourceId: 'asc' } });
    },
  };
}
