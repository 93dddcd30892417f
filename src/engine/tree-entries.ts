/** The entries of a bundle in the form in which trees of files are walked and compared. Pure. */
import type { EntryRecord, ManifestTree } from '../bundle/manifest.ts';
import type { TreeEntry } from '../source/file-trees.ts';

/** An entry that is a file, directory or link, not of the database. */
export type PathEntry = Exclude<EntryRecord, { kind: 'TABLE_PART' | 'SCHEMA' }>;

/** Whether an entry is a file, directory or link. */
export function isPathEntry(entry: EntryRecord): entry is PathEntry {
  return entry.kind !== 'TABLE_PART' && entry.kind !== 'SCHEMA';
}

/** The entries of one tree, in the form of a walk. */
export async function* treeEntries(
  entries: AsyncIterable<EntryRecord>,
  tree: Pick<ManifestTree, 'area' | 'name'>,
): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    if (isPathEntry(entry) && entry.area === tree.area && entry.tree === tree.name) {
      yield toTreeEntry(entry);
    }
  }
}

/** An entry of a bundle in the form of a walk. */
export function toTreeEntry(entry: PathEntry): TreeEntry {
  const { path, mode, mtimeNs } = entry;
  switch (entry.kind) {
    case 'FILE':
      return { kind: 'FILE', path, mode, mtimeNs, sizeBytes: entry.size };
    case 'DIRECTORY':
      return { kind: 'DIRECTORY', path, mode, mtimeNs };
    case 'SYMLINK':
      return { kind: 'SYMLINK', path, mode, mtimeNs, target: entry.target };
  }
}
