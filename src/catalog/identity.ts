/** Who may act: workspaces, their members and the API keys by which members are known. */
import { createHash, randomBytes } from 'node:crypto';
import type { Role } from './catalog.ts';
import type { PrismaClient } from './generated/client.ts';

/** What is said of a caller whose API key is good. */
export interface Identity {
  readonly workspaceId: string;
  readonly memberName: string;
  readonly role: Role;
  readonly keyId: string;
}

/** The owner that was made on the first start. */
export interface NewOwner {
  readonly workspaceId: string;
  /** The API key in clear; it is not kept and cannot be shown again. */
  readonly apiKey: string;
}

const KEY_PATTERN = /^hf_[A-Za-z0-9_-]{43}$/;
/** Characters of a key that are kept in clear, so that a person can tell keys apart. */
const PREFIX_LENGTH = 9;
/** Milliseconds between two updates of a key's `lastUsedAt`. */
const LAST_USED_RESOLUTION_MS = 60_000;

/** Keys are 256 random bits, so a plain hash keeps them: there is nothing to guess from it. */
function hashKey(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('hex');
}

/** On an empty catalog makes the workspace "default", its owner and an API key; undefined on any other. */
export function ensureOwner(prisma: PrismaClient): Promise<NewOwner | undefined> {
  return prisma.$transaction(async (tx) => {
    if ((await tx.workspace.count()) > 0) return undefined;
    const apiKey = `hf_${randomBytes(32).toString('base64url')}`;
    const workspace = await tx.workspace.create({ data: { name: 'default' } });
    await tx.member.create({
      data: {
        workspaceId: workspace.id,
        name: 'owner',
        role: 'OWNER',
        apiKeys: {
          create: { name: 'first key', hash: hashKey(apiKey), prefix: apiKey.slice(0, PREFIX_LENGTH) },
        },
      },
    });
    return { workspaceId: workspace.id, apiKey };
  });
}

/** Who an API key belongs to; undefined when it is unknown or revoked. */
export async function authenticateApiKey(
  prisma: PrismaClient,
  apiKey: string,
): Promise<Identity | undefined> {
  if (!KEY_PATTERN.test(apiKey)) return undefined;
  const key = await prisma.apiKey.findUnique({
    where: { hash: hashKey(apiKey), revokedAt: null },
    include: { member: true },
  });
  if (key === null) return undefined;
  const now = Date.now();
  if (key.lastUsedAt === null || now - key.lastUsedAt.getTime() >= LAST_USED_RESOLUTION_MS) {
    await prisma.apiKey.updateMany({ where: { id: key.id }, data: { lastUsedAt: new Date(now) } });
  }
  const { workspaceId, name, role } = key.member;
  return { workspaceId, memberName: name, role, keyId: key.id };
}
