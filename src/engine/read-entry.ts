/** Opens a single file of a bundle, for a download: streamed, and checked while it streams. */
import { HoldfastError } from '../errors.ts';
import type { OpenedEntry, Unlock } from './engine.ts';
import { findBundle, openReader } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { checkUnlock } from './request-secrets.ts';

/**
 * Finds the file at a position of the list of entries. Whoever got it closes it.
 * @throws HoldfastError NOT_FOUND when there is no file; DECRYPTION_FAILED when nothing at hand opens the bundle;
 * whatever reading a bundle throws
 */
export async function openEntry(
  parts: EngineParts,
  workspaceId: string,
  backupId: string,
  position: number,
  signal: AbortSignal,
  unlock?: Unlock,
): Promise<OpenedEntry> {
  checkUnlock(unlock);
  const reader = await openReader(parts, await findBundle(parts, workspaceId, { backupId }), unlock, signal);
  try {
    let index = 0;
    for await (const entry of reader.entries(signal)) {
      if (index++ < position) continue;
      if (entry.kind !== 'FILE') break;
      return {
        path: entry.path,
        sizeBytes: entry.size,
        sha256: entry.sha256,
        content: checkedBeforeItsEnd(reader.readFile(entry, signal)),
        close: () => reader.close(),
      };
    }
    throw new HoldfastError('NOT_FOUND', 'The backup holds no such file.');
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** The last piece is given out once all checks passed: who has received every byte has the right ones. */
async function* checkedBeforeItsEnd(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer | undefined;
  for await (const chunk of content) {
    if (chunk.length === 0) continue;
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}
