/**
 * createRecoveryKit: everything a fresh instance needs but the bundles, sealed with a passphrase. The file waits in the
 * data directory for its download, sealed, and is gone when the link is.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { slug } from '../bundle/bundle-name.ts';
import { HoldfastError, systemErrorCode } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { Actor, CreateRecoveryKitRequest, RecoveryKit } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { KIT_FILES, writeKeys, writeKit } from './recovery-kit.ts';
import { recoveryGuide } from './recovery-kit-guide.ts';
import { syncDirectory } from './sync-directory.ts';
import { instanceSigner, requireOwner } from './trust.ts';

/** How long a kit waits for its download. */
const LIFETIME_MS = 15 * 60 * 1000;
/** It opens everything and can be tried out of our sight, so it is longer than that of one bundle. Characters. */
const SHORTEST_PASSPHRASE = 12;
const LONGEST_PASSPHRASE = 1024;

/** Of finished files: workspace, when it expires (milliseconds since 1970), id. */
const NAME = /^[0-9a-f-]{36}\.(\d{13,15})\.[0-9a-f-]{36}\.age$/;

/** @throws HoldfastError FORBIDDEN, INVALID_INPUT (it does not repeat the passphrase), STORAGE_FULL, STORAGE_UNAVAILABLE */
export async function createRecoveryKit(
  parts: EngineParts,
  actor: Actor,
  { passphrase }: CreateRecoveryKitRequest,
): Promise<RecoveryKit> {
  requireOwner(actor, 'createRecoveryKit');
  checkPassphrase(passphrase);
  // A workspace that has never made a backup has no key yet, and the kit would miss the one of the first.
  await parts.catalog.encryptionKeys.active(actor.workspaceId);
  const createdAt = parts.now();
  const { version, environment } = parts.recoveryKits;
  const origin = { createdAt, version, environment, signer: instanceSigner(parts) };
  const contents = { origin, state: await parts.catalog.workspaces.state(actor.workspaceId) };
  const files = [
    { name: KIT_FILES.guide, content: Buffer.from(recoveryGuide(contents)) },
    { name: KIT_FILES.contents, content: writeKit(contents) },
    { name: KIT_FILES.keys, content: writeKeys(contents.state.encryptionKeys) },
    { name: KIT_FILES.script, content: await parts.recoveryKits.readScript() },
  ];
  const sealed = await parts.recoveryKits.seal(files, passphrase, createdAt);
  const expiresAt = new Date(parts.now().getTime() + LIFETIME_MS);
  const id = `${expiresAt.getTime()}.${randomUUID()}`;
  await keep(parts, fileNameOf(actor.workspaceId, id), sealed);
  parts.log.info({ by: actor.name }, 'a recovery kit was made');
  const day = createdAt.toISOString().slice(0, 10);
  return {
    id,
    fileName: `recovery-kit_${slug(contents.state.workspace.name)}_${day}.age`,
    sizeBytes: sealed.length,
    sha256: createHash('sha256').update(sealed).digest('hex'),
    expiresAt,
  };
}

/** Opens a kit that waits for its download. @throws HoldfastError NOT_FOUND when it has expired */
export async function openRecoveryKit(
  parts: EngineParts,
  workspaceId: string,
  id: string,
): Promise<RandomAccess> {
  const name = fileNameOf(workspaceId, id);
  const expiresAt = NAME.exec(name)?.[1];
  const gone = new HoldfastError('NOT_FOUND', 'This recovery kit is not kept any more.', {
    hint: 'Make another one: createRecoveryKit.',
  });
  if (expiresAt === undefined || Number(expiresAt) <= parts.now().getTime()) throw gone;
  try {
    return await parts.openLocalFile(join(parts.directories.kits, name));
  } catch (error) {
    throw error instanceof HoldfastError && error.code === 'NOT_FOUND' ? gone : error;
  }
}

/** Removes kits that have expired, and what was left of those whose making was cut short. */
export async function sweepRecoveryKits(parts: EngineParts): Promise<void> {
  const { kits } = parts.directories;
  const names = await readdir(kits).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    const expiresAt = NAME.exec(name.replace(/\.part$/, ''))?.[1];
    if (Number(expiresAt ?? 0) <= parts.now().getTime()) await rm(join(kits, name), { force: true });
  }
}

function fileNameOf(workspaceId: string, id: string): string {
  return `${workspaceId}.${id}.age`;
}

function checkPassphrase(passphrase: string): void {
  const { length } = [...passphrase];
  const typable = !/\p{Cc}/u.test(passphrase);
  if (length >= SHORTEST_PASSPHRASE && length <= LONGEST_PASSPHRASE && typable) return;
  throw new HoldfastError(
    'INVALID_INPUT',
    `The passphrase of a recovery kit has from ${SHORTEST_PASSPHRASE} to ${LONGEST_PASSPHRASE} characters, none of them a control character.`,
    {
      field: 'passphrase',
      hint: 'Six random words or more are good. Keep it where the kit is not; nothing opens the kit without it.',
    },
  );
}

/** Complete under its name, or not there at all. */
async function keep(parts: EngineParts, name: string, sealed: Buffer): Promise<void> {
  const { kits } = parts.directories;
  const path = join(kits, name);
  try {
    await mkdir(kits, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.part`, sealed, { mode: 0o600, flag: 'wx', flush: true });
    await rename(`${path}.part`, path);
    await syncDirectory(kits);
  } catch (error) {
    // What went wrong first is told; a piece that stays is swept.
    await rm(`${path}.part`, { force: true }).catch(() => undefined);
    const code = systemErrorCode(error);
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new HoldfastError(
      full ? 'STORAGE_FULL' : 'STORAGE_UNAVAILABLE',
      full
        ? 'There is no room left for the recovery kit.'
        : 'The recovery kit cannot be kept for its download.',
      { hint: 'Look at the data directory: its room, and who may write to it.', cause: error },
    );
  }
}
