/** Who may act: workspaces, their members and the API keys by which members are known. */
import { createHash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import type { Role } from './catalog.ts';
import type { Prisma, PrismaClient } from './generated/client.ts';

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

function generateKey(): string {
  return `hf_${randomBytes(32).toString('base64url')}`;
}

/** The columns of a key that do not depend on whose it is. */
function keyColumns(apiKey: string, name: string) {
  return { name, hash: hashKey(apiKey), prefix: apiKey.slice(0, PREFIX_LENGTH) };
}

/** On an empty catalog makes the workspace "default", its owner and an API key; undefined on any other. */
export function ensureOwner(prisma: PrismaClient): Promise<NewOwner | undefined> {
  return prisma.$transaction(async (tx) => {
    if ((await tx.workspace.count()) > 0) return undefined;
    return await makeWorkspace(tx, { name: 'default' });
  });
}

/** Makes a workspace with its owner, who gets a first API key. */
export async function makeWorkspace(
  tx: Prisma.TransactionClient,
  data: Prisma.WorkspaceCreateInput,
): Promise<NewOwner> {
  const apiKey = generateKey();
  const workspace = await tx.workspace.create({ data });
  await tx.member.create({
    data: {
      workspaceId: workspace.id,
      name: 'owner',
      role: 'OWNER',
      apiKeys: { create: keyColumns(apiKey, 'first key') },
    },
  });
  return { workspaceId: workspace.id, apiKey };
}

/**
 * Makes a further API key for the owner; those there are stay good. Resolves to the key in clear, which is not kept.
 * @throws HoldfastError NOT_FOUND when there is no owner yet
 */
export function createOwnerKey(prisma: PrismaClient): Promise<string> {
  return prisma.$transaction(async (tx) => {
    const owner = await tx.member.findFirst({
      where: { role: 'OWNER' },
      // Ids of version 7 grow with time; they tell apart what was made in one millisecond.
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    if (owner === null) {
      throw new HoldfastError('NOT_FOUND', 'There is no owner yet.', {
        hint: 'Start the server: its first start makes the owner and shows the first key.',
      });
    }
    const apiKey = generateKey();
    await tx.apiKey.create({ data: { memberId: owner.id, ...keyColumns(apiKey, 'made on the host') } });
    return apiKey;
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
