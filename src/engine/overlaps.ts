/** What a source replaces must lie apart, by where it really is: links change, so a restore asks again. */
import { relative } from 'node:path';
import type { SourceDefinition } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { EngineParts } from './parts.ts';

/** The parts of a source that stand somewhere on this host. */
export type PlacedParts = Pick<SourceDefinition, 'trees' | 'configTrees' | 'database' | 'envFile'>;

/**
 * Trees are swapped whole on restore: one inside another, or the database inside one, would be moved away. An
 * env file that is only read may lie in a tree; the place one is restored to may not.
 * @throws HoldfastError INVALID_INPUT when something that is replaced lies in a tree or would be replaced twice;
 * UNSAFE_PATH or SOURCE_UNREACHABLE when a path cannot be resolved.
 */
export async function refuseOverlaps(
  { trees: files }: Pick<EngineParts, 'trees'>,
  { trees, configTrees, database, envFile }: PlacedParts,
): Promise<void> {
  const place = async (label: string, path: string) => ({ label, path: await files.realPath(path) });
  const swapped = await Promise.all(
    [...trees, ...configTrees].map((tree) => place(`tree ${tree.name}`, tree.path)),
  );
  const others = await Promise.all([
    ...(database?.kind === 'SQLITE' ? [place('SQLite database', database.path)] : []),
    ...(envFile?.restorePath == null ? [] : [place('restored env file', envFile.restorePath)]),
  ]);
  for (const outer of swapped) {
    for (const inner of [...swapped, ...others]) {
      if (inner === outer || !isWithin(outer.path, inner.path)) continue;
      throw new HoldfastError('INVALID_INPUT', `The ${inner.label} lies inside the ${outer.label}.`, {
        field: 'trees',
        hint: 'A tree is replaced as a whole when it is restored, so nothing else of the source may lie in it. Links are resolved first.',
      });
    }
  }
  const [first, second] = others;
  if (first !== undefined && first.path === second?.path) {
    throw new HoldfastError('INVALID_INPUT', 'The env file would be restored over the SQLite database.', {
      field: 'envFile',
      hint: 'Restore the env file to a path of its own.',
    });
  }
}

function isWithin(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || (path !== '..' && !path.startsWith('../') && !path.startsWith('/'));
}
