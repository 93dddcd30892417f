/** Tells a storage that lost bundles from one that is not there. */
import { HoldfastError } from '../errors.ts';
import type { EngineParts } from './parts.ts';

/**
 * To be asked before "not there" is believed, and before anything is put there: a disk that is not mounted leaves an
 * empty directory, in which every bundle seems gone and every new one would be lost from sight later.
 * @throws HoldfastError STORAGE_UNAVAILABLE when the workspace has no folder although the catalog has bundles in it
 */
export async function requireStorage(
  { storage, catalog }: Pick<EngineParts, 'storage' | 'catalog'>,
  workspaceId: string,
  signal: AbortSignal,
): Promise<void> {
  if (await storage.hasFolder(workspaceId, signal)) return;
  if (!(await catalog.backups.anyStored(workspaceId))) return;
  throw new HoldfastError(
    'STORAGE_UNAVAILABLE',
    'The storage has no folder of this workspace, although the catalog has bundles there: it looks as if it were not mounted. Nothing was changed.',
    {
      hint: `Check that the storage is mounted. If all bundles are really gone, make an empty folder ${workspaceId} in it to say so.`,
    },
  );
}
