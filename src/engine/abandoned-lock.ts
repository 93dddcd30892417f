import type { LockRow } from '../catalog/catalog.ts';
import type { EngineParts } from './parts.ts';

/**
 * Releases locks whose holder is a process that certainly runs no more and whose record is finished: the process
 * died between the two. A lock whose record is not finished is recovery's.
 */
export async function freeAbandonedLocks(parts: EngineParts): Promise<void> {
  const { locks, records } = parts.catalog;
  const dead = (await locks.all()).filter((lock) => parts.identity.isDead(lock.owner));
  if (dead.length === 0) return;
  const unfinished = new Set((await records.unfinished()).map((record) => record.id));
  const abandoned = (lock: LockRow): boolean => !unfinished.has(lock.recordId);
  for (const lock of dead.filter(abandoned)) await locks.release(lock.sourceId, lock.token);
}
