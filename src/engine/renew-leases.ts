/** Keeps the leases and locks of queued and running records alive. */
import type { LockRow, RecordRow } from '../catalog/catalog.ts';
import type { HoldfastError } from '../errors.ts';
import { canceledOnRequest, leaseUntil } from './lease.ts';
import type { EngineParts } from './parts.ts';
import type { RequestSecrets } from './request-secrets.ts';
import { lockLost } from './require-hold.ts';

/** A record that runs in this process. */
export interface HeldRecord {
  readonly workspaceId: string;
  /** Recovery works on it: nothing listens to the controller, for the way to one side is not to be canceled. */
  readonly kept: boolean;
  readonly controller: AbortController;
  readonly lock: LockRow | undefined;
}

/** A record that waits in this process, with the lock it may have taken already. */
export interface WaitingRecord {
  readonly row: RecordRow;
  readonly lock: LockRow | undefined;
  readonly secrets: RequestSecrets;
}

/** Renews the lock that a queued record waits with. Never throws: a failure is logged, and it may succeed next time. */
export async function renewWaiting(parts: EngineParts, { row, lock }: WaitingRecord): Promise<void> {
  if (lock === undefined) return;
  await parts.catalog.locks
    .renew(lock.sourceId, lock.token, leaseUntil(parts))
    .catch((error: unknown) => parts.log.warn({ err: error, recordId: row.id }, 'a lock was not renewed'));
}

/**
 * Renews lease and lock of a running record. Never throws.
 * @returns why the record has to stop: what it held is lost, or it was canceled at another server
 */
export async function renewActive(
  parts: EngineParts,
  recordId: string,
  held: HeldRecord,
): Promise<HoldfastError | undefined> {
  try {
    if (!(await holds(parts, recordId, held.lock))) {
      parts.log.warn({ recordId }, 'a lock was lost; its record is stopped');
      return lockLost();
    }
    if (held.kept || held.controller.signal.aborted) return undefined;
    const row = await parts.catalog.records.find(held.workspaceId, recordId);
    if (row?.status !== 'CANCELING') return undefined;
    parts.log.info({ recordId }, 'a record is canceled: another server was asked to');
    return canceledOnRequest();
  } catch (error) {
    parts.log.warn({ err: error, recordId }, 'a lease was not renewed; it will be tried again');
    return undefined;
  }
}

async function holds(parts: EngineParts, recordId: string, lock: LockRow | undefined): Promise<boolean> {
  const until = leaseUntil(parts);
  const { records, locks } = parts.catalog;
  if (!(await records.renewLease(recordId, parts.identity.owner, until))) return false;
  return lock === undefined || (await locks.renew(lock.sourceId, lock.token, until));
}
