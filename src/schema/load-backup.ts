/** Backups by id, for values that remember only the id (results and verdicts hold many). */
import type { Backup } from '../catalog/generated/client.ts';
import { batched } from './batch.ts';
import type { SchemaContext } from './context.ts';

const load = batched<string, Backup>(async ({ prisma }, ids) => {
  const found = await prisma.backup.findMany({ where: { id: { in: [...ids] } } });
  return new Map(found.map((backup) => [backup.id, backup]));
});

/** The backup with this id; null when there is none (any more). */
export async function loadBackup(context: SchemaContext, id: string | null): Promise<Backup | null> {
  return id === null ? null : await load(context, id);
}
