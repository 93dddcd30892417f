/** Who calls: one function for HTTP and WebSocket. */
import { createHash } from 'node:crypto';
import type { Actor } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { unauthenticated } from '../schema/context.ts';
import type { ServerParts } from './parts.ts';

/** Wrong keys an address may try in a window. */
const WRONG_TRIES = 20;
const WINDOW_MS = 60_000;
/** Addresses and keys remembered; the oldest are forgotten first. */
const REMEMBERED = 10_000;

/** Resolves to the caller. `authorization` is the header, or what stands for it in a WebSocket's parameters. */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Actor>;

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED) {
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
}

/**
 * Knows callers by "Bearer <API key>". After too many wrong keys an address is refused unseen for the rest of the
 * minute, except with keys that were right before: behind a proxy many callers share one address.
 * @throws {HoldfastError} UNAUTHENTICATED, or RATE_LIMITED
 */
export function createAuthenticate(
  identity: ServerParts['identity'],
  now: () => number = Date.now,
): Authenticate {
  const wrong = new Map<string, { count: number; since: number }>();
  const right = new Map<string, true>();

  function isBlocked(address: string): boolean {
    const tries = wrong.get(address);
    return tries !== undefined && now() - tries.since < WINDOW_MS && tries.count >= WRONG_TRIES;
  }

  function countWrong(address: string): void {
    const tries = wrong.get(address);
    if (tries === undefined || now() - tries.since >= WINDOW_MS) {
      remember(wrong, address, { count: 1, since: now() });
    } else {
      tries.count += 1;
    }
  }

  return async (authorization, address) => {
    const apiKey = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (apiKey === undefined) throw unauthenticated();
    const digest = createHash('sha256').update(apiKey).digest('base64');
    if (isBlocked(address) && !right.has(digest)) {
      throw new HoldfastError('RATE_LIMITED', 'Too many wrong API keys came from this address.', {
        hint: 'Wait a minute, then try again with a valid key.',
      });
    }
    const known = await identity.authenticateApiKey(apiKey);
    if (known === undefined) {
      right.delete(digest);
      countWrong(address);
      throw unauthenticated();
    }
    remember(right, digest, true);
    return { workspaceId: known.workspaceId, name: known.memberName, role: known.role };
  };
}
