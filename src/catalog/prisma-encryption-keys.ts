/** Keys that bundles are sealed with. They are sealed themselves here, and stand in clear in memory alone. */
import { randomBytes } from 'node:crypto';
import type { EncryptionKeyRepository, EncryptionKeyRow } from './catalog.ts';
import type { EncryptionKey, Prisma, PrismaClient } from './generated/client.ts';
import type { SecretPlace, Secrets } from './secrets.ts';

/** AES-256. */
const KEY_BYTES = 32;

function placeOf(id: string): SecretPlace {
  return { table: 'EncryptionKey', id, field: 'secret' };
}

/** A key of Prisma as a key of the contract. */
export function toEncryptionKeyRow({ secret, ...row }: EncryptionKey, secrets: Secrets): EncryptionKeyRow {
  return { ...row, key: Buffer.from(secrets.open(secret, placeOf(row.id)), 'base64') };
}

/** The column of a key, sealed and bound to its row. */
export function sealedKey(id: string, key: Buffer, secrets: Secrets): string {
  return secrets.seal(key.toString('base64'), placeOf(id));
}

async function make(
  tx: Prisma.TransactionClient,
  workspaceId: string,
  secrets: Secrets,
): Promise<EncryptionKey> {
  // The secret is bound to the id, which the database gives.
  const { id } = await tx.encryptionKey.create({ data: { workspaceId, secret: '' } });
  const secret = sealedKey(id, randomBytes(KEY_BYTES), secrets);
  return await tx.encryptionKey.update({ where: { id }, data: { secret } });
}

/** The encryption keys of the catalog. */
export function prismaEncryptionKeys(prisma: PrismaClient, secrets: Secrets): EncryptionKeyRepository {
  return {
    async active(workspaceId) {
      const row = await prisma.$transaction(
        async (tx) =>
          (await tx.encryptionKey.findFirst({
            where: { workspaceId, retiredAt: null },
            orderBy: { createdAt: 'desc' },
          })) ?? (await make(tx, workspaceId, secrets)),
      );
      return toEncryptionKeyRow(row, secrets);
    },

    async find(workspaceId, id) {
      const row = await prisma.encryptionKey.findFirst({ where: { id, workspaceId } });
      return row === null ? undefined : toEncryptionKeyRow(row, secrets);
    },

    async rotate(workspaceId, at) {
      const row = await prisma.$transaction(async (tx) => {
        await tx.encryptionKey.updateMany({
          where: { workspaceId, retiredAt: null },
          data: { retiredAt: at },
        });
        return await make(tx, workspaceId, secrets);
      });
      return toEncryptionKeyRow(row, secrets);
    },

    async all(workspaceId) {
      const rows = await prisma.encryptionKey.findMany({
        where: { workspaceId },
        orderBy: { createdAt: 'asc' },
      });
      return rows.map((row) => toEncryptionKeyRow(row, secrets));
    },

    async adopt(workspaceId, { id, key, createdAt }) {
      const secret = sealedKey(id, key, secrets);
      await prisma.encryptionKey.upsert({
        where: { id },
        create: { id, workspaceId, secret, createdAt, retiredAt: createdAt },
        update: {},
      });
    },
  };
}
