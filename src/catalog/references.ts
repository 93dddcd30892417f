/** Keeps references inside one workspace, where the foreign keys of the database cannot tell. */
import { HoldfastError } from '../errors.ts';
import type { Prisma } from './generated/client.ts';

/** What a new row may point to. */
export interface References {
  readonly workspaceId: string;
  readonly sourceId?: string | null;
  readonly jobId?: string | null;
  readonly backupId?: string | null;
  readonly parentId?: string | null;
}

/**
 * Checks that everything a new row points to belongs to its own workspace, so that following a reference never
 * leaves it.
 *
 * @throws HoldfastError NOT_FOUND for what is not there.
 */
export async function requireInWorkspace(
  tx: Prisma.TransactionClient,
  references: References,
): Promise<void> {
  const { workspaceId, sourceId, jobId, backupId, parentId } = references;
  const checks = [
    { what: 'source', id: sourceId, find: (id: string) => tx.source.count({ where: { id, workspaceId } }) },
    { what: 'job', id: jobId, find: (id: string) => tx.job.count({ where: { id, workspaceId } }) },
    { what: 'backup', id: backupId, find: (id: string) => tx.backup.count({ where: { id, workspaceId } }) },
    { what: 'record', id: parentId, find: (id: string) => tx.record.count({ where: { id, workspaceId } }) },
  ];
  for (const { what, id, find } of checks) {
    if (id === undefined || id === null) continue;
    if ((await find(id)) === 0) throw new HoldfastError('NOT_FOUND', `There is no ${what} ${id}.`);
  }
}
