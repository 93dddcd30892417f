import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { EngineParts } from './parts.ts';

/** How long a lease or lock lasts without being renewed. */
export const LEASE_MS = 30_000;

/** When a lease or lock that is taken now runs out. */
export function leaseUntil(parts: EngineParts): Date {
  return new Date(parts.now().getTime() + LEASE_MS);
}

/** Whether another process that may well be alive works on the record. */
export function isHeldElsewhere(parts: EngineParts, row: RecordRow): boolean {
  if (row.leaseOwner === null || row.leaseOwner === parts.identity.owner) return false;
  const expired = row.leaseUntil !== null && row.leaseUntil <= parts.now();
  return !expired && !parts.identity.isDead(row.leaseOwner);
}

/** Why a record stops that somebody canceled, here or at another server. */
export function canceledOnRequest(): HoldfastError {
  return new HoldfastError('CANCELED', 'The record was canceled on request.');
}
