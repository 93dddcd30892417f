/** Signing keys of other instances that a workspace trusts. */
import type { TrustedSignerRepository } from './catalog.ts';
import type { PrismaClient } from './generated/client.ts';

/** The trusted signers of the catalog. */
export function prismaTrustedSigners(prisma: PrismaClient): TrustedSignerRepository {
  return {
    async find(workspaceId, fingerprint) {
      const where = { workspaceId_fingerprint: { workspaceId, fingerprint } };
      return (await prisma.trustedSigner.findUnique({ where })) ?? undefined;
    },

    async add(workspaceId, { fingerprint, publicKey, name }) {
      return await prisma.trustedSigner.upsert({
        where: { workspaceId_fingerprint: { workspaceId, fingerprint } },
        create: { workspaceId, fingerprint, publicKey, name },
        update: { name },
      });
    },

    async remove(workspaceId, id) {
      return (await prisma.trustedSigner.deleteMany({ where: { id, workspaceId } })).count > 0;
    },

    all: (workspaceId) =>
      prisma.trustedSigner.findMany({ where: { workspaceId }, orderBy: { createdAt: 'asc' } }),
  };
}
