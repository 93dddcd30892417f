/** What the newest drill that passed says of a source. */
import { batched } from './batch.ts';

/** When a source was last proven, and what the restore took. */
export interface Proof {
  readonly at: Date;
  readonly restoreSeconds: number | null;
}

const PROVEN = { level: 'RESTORE', verdict: 'PASSED' } as const;

/** By the source's id; null when no backup of it that is there was proven. */
export const loadProof = batched<string, Proof>(async ({ prisma }, ids) => {
  // One row a proven backup: there are as many of those as retention keeps.
  const backups = await prisma.backup.findMany({
    where: { sourceId: { in: [...ids] }, deletingAt: null, certificates: { some: PROVEN } },
    select: {
      sourceId: true,
      certificates: {
        where: PROVEN,
        orderBy: { finishedAt: 'desc' },
        take: 1,
        select: { finishedAt: true, restoreSeconds: true },
      },
    },
  });
  const proofs = new Map<string, Proof>();
  for (const { sourceId, certificates } of backups) {
    const [newest] = certificates;
    if (sourceId === null || newest === undefined) continue;
    const known = proofs.get(sourceId);
    if (known !== undefined && known.at >= newest.finishedAt) continue;
    proofs.set(sourceId, { at: newest.finishedAt, restoreSeconds: newest.restoreSeconds });
  }
  return proofs;
});
