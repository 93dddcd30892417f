import type { EngineParts } from './parts.ts';

/** How long a lease or lock lasts without being renewed. */
export const LEASE_MS = 30_000;

/** When a lease or lock that is taken now runs out. */
export function leaseUntil(parts: EngineParts): Date {
  return new Date(parts.now().getTime() + LEASE_MS);
}
