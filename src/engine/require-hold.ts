/** The last look before something is changed for good: are record and source still this server's? */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { leaseUntil } from './lease.ts';
import type { EngineParts } from './parts.ts';

/**
 * Renews lease and lock of a record.
 * @throws HoldfastError LOCK_LOST when either belongs to somebody else by now
 */
export async function requireHold(parts: EngineParts, row: RecordRow): Promise<void> {
  const { records, locks } = parts.catalog;
  const until = leaseUntil(parts);
  if (!(await records.renewLease(row.id, parts.identity.owner, until))) throw lockLost();
  if (row.sourceId === null) return;
  const lock = await locks.find(row.sourceId);
  if (lock?.recordId !== row.id || !(await locks.renew(row.sourceId, lock.token, until))) throw lockLost();
}

/** Why a record stops whose lease or lock is gone. */
export function lockLost(): HoldfastError {
  return new HoldfastError('LOCK_LOST', 'The lock on the source was lost while the record was running.', {
    hint: 'Nothing was committed after that. Find out who took the lock, then start again.',
  });
}
