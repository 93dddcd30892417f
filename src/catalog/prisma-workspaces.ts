/** A workspace as a whole: what it is made of, to be made again elsewhere. */
import { HoldfastError } from '../errors.ts';
import type { EncryptionKeyRow, Json, WorkspaceRepository, WorkspaceState } from './catalog.ts';
import type { EncryptionKey, PrismaClient } from './generated/client.ts';
import { makeWorkspace, type NewOwner } from './identity.ts';
import { sealedKey, toEncryptionKeyRow } from './prisma-encryption-keys.ts';
import { sealedUrls, toColumns, toSourceRow } from './prisma-sources.ts';
import { toJson } from './rows.ts';
import type { Secrets } from './secrets.ts';

const OLDEST_FIRST = [{ createdAt: 'asc' }, { id: 'asc' }] as const;

/** None for a retired key that was sealed with an instance key that was lost: nobody here can open it any more. */
function keyOf(row: EncryptionKey, secrets: Secrets): EncryptionKeyRow[] {
  try {
    return [toEncryptionKeyRow(row, secrets)];
  } catch (error) {
    if (row.retiredAt !== null && error instanceof HoldfastError && error.code === 'DECRYPTION_FAILED')
      return [];
    throw error;
  }
}

/** The workspaces of the catalog. */
export function prismaWorkspaces(prisma: PrismaClient, secrets: Secrets): WorkspaceRepository {
  return {
    state: (workspaceId) =>
      // The connection is one and transactions take turns on it, so nobody writes in between.
      prisma.$transaction(async (tx): Promise<WorkspaceState> => {
        const workspace = await tx.workspace.findUnique({
          where: { id: workspaceId },
          select: { id: true, name: true, createdAt: true },
        });
        if (workspace === null) throw new HoldfastError('NOT_FOUND', 'There is no such workspace.');
        const all = { where: { workspaceId }, orderBy: [...OLDEST_FIRST] };
        const encryptionKeys = await tx.encryptionKey.findMany(all);
        const sources = await tx.source.findMany(all);
        const jobs = await tx.job.findMany({ ...all, omit: { workspaceId: true, updatedAt: true } });
        const trustedSigners = await tx.trustedSigner.findMany({
          ...all,
          omit: { id: true, workspaceId: true },
        });
        const settings = await tx.setting.findMany({ where: { workspaceId }, orderBy: { key: 'asc' } });
        return {
          workspace,
          encryptionKeys: encryptionKeys.flatMap((row) => keyOf(row, secrets)),
          sources: sources.map((row) => toSourceRow(row, secrets)),
          // Json and JsonValue differ in `undefined` properties only, which JSON has none of.
          jobs: jobs.map((job) => ({
            ...job,
            selection: job.selection as Json,
            retention: job.retention as Json,
          })),
          trustedSigners,
          settings: settings.map(({ key, value }) => ({ key, value: value as Json })),
        };
      }),
  };
}

/**
 * Makes a workspace again, ids and all, with an owner and a first API key, in one transaction. Its keys only open
 * bundles from now on: the next backup makes a new one.
 * @param at when that is
 */
export function rebuildWorkspace(
  prisma: PrismaClient,
  secrets: Secrets,
  state: WorkspaceState,
  at: Date,
): Promise<NewOwner> {
  const workspaceId = state.workspace.id;
  return prisma.$transaction(async (tx) => {
    const owner = await makeWorkspace(tx, state.workspace);
    for (const { id, key, createdAt, retiredAt } of state.encryptionKeys) {
      const secret = sealedKey(id, key, secrets);
      await tx.encryptionKey.create({
        data: { id, workspaceId, secret, createdAt, retiredAt: retiredAt ?? at },
      });
    }
    for (const { id, createdAt, ...definition } of state.sources) {
      await tx.source.create({
        data: {
          id,
          workspaceId,
          createdAt,
          ...toColumns(definition),
          ...sealedUrls(definition, id, secrets),
        },
      });
    }
    for (const { selection, retention, ...job } of state.jobs) {
      await tx.job.create({
        data: { ...job, workspaceId, selection: toJson(selection), retention: toJson(retention) },
      });
    }
    for (const signer of state.trustedSigners) {
      await tx.trustedSigner.create({ data: { ...signer, workspaceId } });
    }
    for (const { key, value } of state.settings) {
      await tx.setting.create({ data: { workspaceId, key, value: toJson(value) } });
    }
    return owner;
  });
}
