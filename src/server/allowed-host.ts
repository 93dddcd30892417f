/**
 * Which Host headers are answered. A page of another site can make its own name point to this machine (DNS
 * rebinding), but it cannot make a browser send another name than its own: only names we know are answered.
 * Addresses are no names, so they cannot be rebound.
 */
import { isIP } from 'node:net';

/** True when a request with this Host header may be answered. */
export function isAllowedHost(header: string | undefined, publicUrl: string): boolean {
  if (header === undefined) return false;
  let hostname: string;
  try {
    ({ hostname } = new URL(`http://${header}`));
  } catch {
    return false;
  }
  const bare = hostname.replace(/^\[|\]$/g, '');
  return (
    isIP(bare) !== 0 ||
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    hostname === new URL(publicUrl).hostname
  );
}
