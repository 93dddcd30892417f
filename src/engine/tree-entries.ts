/** The entries of a bundle in the form in which trees of files are walked and compared. Pure. */
import type { EntryRecord, ManifestTree } from '../bundle/manifest.ts';
import type { TreeEntry } from '../source/source.ts';

/** The entries of one tree, in the form of a walk. */
export async function* treeEntries(
  entries: AsyncIterable<EntryRecord>,
  tree: Pick<ManifestTree, 'area' | 'name'>,
): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    if (entry.kind !== 'TABLE_PART' && entry.area === tree.area && entry.tree === tree.name) {
      yield toTreeEntry(entry);
    }
  }
}

/** An entry of a bundle in the form of a walk. */
export function toTreeEntry(entry: Exclude<EntryRecord, { kind: 'TABLE_PART' }>): TreeEntry {
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
