/** Pages through the list of entries of a bundle, straight from it: constant memory, however long the list is. */
import type { EntryRecord } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor, EntryArea, EntryFilter, EntryPage, EntryRange, ListedEntry, Unlock } from './engine.ts';
import { findBundle, openReader } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { checkUnlock } from './request-secrets.ts';
import { isPathEntry } from './tree-entries.ts';

/** Entries that one page may have. */
const PAGE_ENTRIES = 100;

/**
 * Reads one page of the entries that `filter` keeps, in the order of the bundle.
 * @throws HoldfastError NOT_FOUND without such a backup; INVALID_INPUT for a page that is none; whatever reading a
 * bundle throws
 */
export async function listEntries(
  parts: EngineParts,
  { workspaceId }: Actor,
  backupId: string,
  filter: EntryFilter,
  { after, count }: EntryRange,
  signal: AbortSignal,
  unlock?: Unlock,
): Promise<EntryPage> {
  if (count < 1 || count > PAGE_ENTRIES) {
    throw new HoldfastError('INVALID_INPUT', `A page has from 1 to ${PAGE_ENTRIES} entries, not ${count}.`, {
      field: 'first',
      hint: 'Read the list page by page.',
    });
  }
  checkUnlock(unlock);
  const reader = await openReader(parts, await findBundle(parts, workspaceId, { backupId }), unlock, signal);
  try {
    const entries: ListedEntry[] = [];
    let totalCount = 0;
    let before = 0;
    let position = -1;
    for await (const entry of reader.entries(signal)) {
      position += 1;
      if (!isWanted(entry, filter)) continue;
      totalCount += 1;
      if (after !== null && position <= after) before += 1;
      else if (entries.length < count) entries.push({ position, entry });
    }
    if (after !== null && after > position) {
      throw new HoldfastError('INVALID_INPUT', 'after: this is no cursor of the entries of this backup.', {
        field: 'after',
        hint: 'Pass a cursor exactly as the API gave it, or leave it out to start from the beginning.',
      });
    }
    return { entries, totalCount, hasPrevious: before > 0, hasNext: before + entries.length < totalCount };
  } finally {
    await reader.close();
  }
}

/** Which part of a bundle an entry belongs to. */
function areaOf(entry: EntryRecord): EntryArea {
  return isPathEntry(entry) ? entry.area : 'db';
}

function isWanted(entry: EntryRecord, { areas, kinds, tree, pathPrefix, search }: EntryFilter): boolean {
  if (areas !== undefined && !areas.includes(areaOf(entry))) return false;
  if (kinds !== undefined && !kinds.includes(entry.kind)) return false;
  if (tree !== undefined && (!isPathEntry(entry) || entry.tree !== tree)) return false;
  if (pathPrefix !== undefined && (!isPathEntry(entry) || !entry.path.startsWith(pathPrefix))) return false;
  return search === undefined || searched(entry).includes(search);
}

/** What a search looks at: the name people know an entry by. */
function searched(entry: EntryRecord): string {
  if (isPathEntry(entry)) return entry.path;
  return entry.kind === 'TABLE_PART' ? entry.table : entry.entry;
}
