/**
 * Backups by id, for values that remember only the id (results and verdicts hold many). What is asked for in one
 * turn of the event loop is read with one query; nothing is kept afterwards, since a subscription's context lives
 * long.
 */
import type { Backup } from '../catalog/generated/client.ts';
import type { SchemaContext } from './context.ts';

type Batch = { ids: Set<string>; rows: Promise<Map<string, Backup>> };

const batches = new WeakMap<SchemaContext, Batch>();

function openBatch(context: SchemaContext): Batch {
  const ids = new Set<string>();
  const rows = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
    batches.delete(context);
    const found = await context.prisma.backup.findMany({ where: { id: { in: [...ids] } } });
    return new Map(found.map((backup) => [backup.id, backup]));
  });
  return { ids, rows };
}

/** The backup with this id; null when there is none (any more). */
export async function loadBackup(context: SchemaContext, id: string | null): Promise<Backup | null> {
  if (id === null) return null;
  let batch = batches.get(context);
  if (batch === undefined) {
    batch = openBatch(context);
    batches.set(context, batch);
  }
  batch.ids.add(id);
  return (await batch.rows).get(id) ?? null;
}
