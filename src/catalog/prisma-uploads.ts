/** Uploaded bundles that are not in storage yet. */
import type { UploadRepository } from './catalog.ts';
import type { PrismaClient } from './generated/client.ts';

/** The uploads of the catalog. */
export function prismaUploads(prisma: PrismaClient): UploadRepository {
  return {
    create: (upload) => prisma.upload.create({ data: upload }),

    async find(workspaceId, id) {
      return (await prisma.upload.findFirst({ where: { id, workspaceId } })) ?? undefined;
    },

    async delete(id) {
      await prisma.upload.deleteMany({ where: { id } });
    },

    expired: (now) =>
      prisma.upload.findMany({ where: { expiresAt: { lte: now } }, orderBy: { expiresAt: 'asc' } }),
  };
}
