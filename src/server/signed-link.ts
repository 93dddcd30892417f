/** Signed, expiring links to bundles and recovery kits. The token says all there is to know: nothing is kept. */
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

/** What a link is for; a signature of one kind means nothing for the other. */
type LinkKind = 'holdfast-download' | 'holdfast-kit-download';

function sign(key: Buffer, kind: LinkKind, payload: string): Buffer {
  // The prefix keeps a signature made here from meaning anything elsewhere.
  return createHmac('sha256', key).update(`${kind}\n${payload}`).digest();
}

/** Workspace, id, when it expires (milliseconds since 1970), and a position inside of what has the id. */
type TokenContent = readonly [string, string, number, number?];

function signToken(key: Buffer, kind: LinkKind, content: TokenContent): string {
  const payload = Buffer.from(JSON.stringify(content)).toString('base64url');
  return `${payload}.${sign(key, kind, payload).toString('base64url')}`;
}

function openToken(key: Buffer, kind: LinkKind, token: string, now: Date, hint: string): TokenContent {
  const refusal = new HoldfastError('FORBIDDEN', 'This link is not valid or has expired.', { hint });
  const [payload, signature, ...rest] = token.split('.');
  if (payload === undefined || signature === undefined || rest.length > 0) throw refusal;
  const given = Buffer.from(signature, 'base64url');
  const right = sign(key, kind, payload);
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw refusal;
  // Signed by us, so it has the shape that signToken gave it.
  const content = JSON.parse(Buffer.from(payload, 'base64url').toString()) as TokenContent;
  if (content[2] <= now.getTime()) throw refusal;
  return content;
}

/** A token that opens a backup's bundle, or a file in it, until `expiresAt`. */
export function signLink(key: Buffer, { workspaceId, backupId, entry }: LinkTarget, expiresAt: Date): string {
  const until = expiresAt.getTime();
  const content: TokenContent =
    entry === undefined ? [workspaceId, backupId, until] : [workspaceId, backupId, until, entry];
  return signToken(key, 'holdfast-download', content);
}

/**
 * What a token opens.
 * @throws {HoldfastError} FORBIDDEN when it was not signed with this key or has expired
 */
export function openLink(key: Buffer, token: string, now: Date): LinkTarget {
  const hint = 'Ask for a new one: downloadUrl of the backup or of its entry.';
  const [workspaceId, backupId, , entry] = openToken(key, 'holdfast-download', token, now, hint);
  return { workspaceId, backupId, ...(entry !== undefined && { entry }) };
}

/** What a link to a recovery kit opens. */
export interface KitLinkTarget {
  readonly workspaceId: string;
  readonly kitId: string;
}

/** A token that opens a recovery kit until `expiresAt`. */
export function signKitLink(key: Buffer, { workspaceId, kitId }: KitLinkTarget, expiresAt: Date): string {
  return signToken(key, 'holdfast-kit-download', [workspaceId, kitId, expiresAt.getTime()]);
}

/**
 * Which kit a token opens.
 * @throws {HoldfastError} FORBIDDEN when it was not signed with this key or has expired
 */
export function openKitLink(key: Buffer, token: string, now: Date): KitLinkTarget {
  const hint = 'Make another kit: createRecoveryKit.';
  const [workspaceId, kitId] = openToken(key, 'holdfast-kit-download', token, now, hint);
  return { workspaceId, kitId };
}
