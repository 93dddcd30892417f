/** Signed, expiring links to bundles. The token says all there is to know: nothing is kept. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../errors.ts';

/** What a link opens. */
export interface LinkTarget {
  readonly workspaceId: string;
  readonly backupId: string;
  /** Position of a file in its list of entries; undefined for the whole bundle. */
  readonly entry?: number | undefined;
}

/** A link to a single file. */
export type EntryLink = LinkTarget & { readonly entry: number };

/** Whether a link is to a single file. */
export function isEntryLink(target: LinkTarget): target is EntryLink {
  return target.entry !== undefined;
}

function sign(key: Buffer, payload: string): Buffer {
  // The prefix keeps a signature made here from meaning anything elsewhere.
  return createHmac('sha256', key).update(`holdfast-download\n${payload}`).digest();
}

/** A token that opens a backup's bundle, or a file in it, until `expiresAt`. */
export function signLink(key: Buffer, { workspaceId, backupId, entry }: LinkTarget, expiresAt: Date): string {
  const content = JSON.stringify([
    workspaceId,
    backupId,
    expiresAt.getTime(),
    ...(entry === undefined ? [] : [entry]),
  ]);
  const payload = Buffer.from(content).toString('base64url');
  return `${payload}.${sign(key, payload).toString('base64url')}`;
}

/**
 * What a token opens.
 * @throws {HoldfastError} FORBIDDEN when it was not signed with this key or has expired
 */
export function openLink(key: Buffer, token: string, now: Date): LinkTarget {
  const refusal = new HoldfastError('FORBIDDEN', 'This link is not valid or has expired.', {
    hint: 'Ask for a new one: downloadUrl of the backup or of its entry.',
  });
  const [payload, signature, ...rest] = token.split('.');
  if (payload === undefined || signature === undefined || rest.length > 0) throw refusal;
  const given = Buffer.from(signature, 'base64url');
  const right = sign(key, payload);
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw refusal;
  // Signed by us, so it has the shape that signLink gave it.
  const [workspaceId, backupId, expiresAt, entry] = JSON.parse(
    Buffer.from(payload, 'base64url').toString(),
  ) as [string, string, number, number?];
  if (expiresAt <= now.getTime()) throw refusal;
  return { workspaceId, backupId, ...(entry !== undefined && { entry }) };
}
