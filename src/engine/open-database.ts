import type { DatabaseSettings } from '../catalog/catalog.ts';
import type { Database } from '../source/source.ts';
import type { EngineParts } from './parts.ts';

/**
 * The database of a source; a database file is checked against the configured roots each time it is used.
 * One that does not exist yet is a target all the same: its kind says what can be done with it.
 * @throws HoldfastError UNSAFE_PATH, SOURCE_UNREACHABLE
 */
export async function openDatabase(parts: EngineParts, settings: DatabaseSettings): Promise<Database> {
  if (settings.kind === 'SQLITE') await parts.trees.check(settings.path, 'NEW_FILE');
  return await parts.openDatabase(settings);
}
