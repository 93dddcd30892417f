import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { EngineParts } from './parts.ts';

/** The source, in this workspace. @throws HoldfastError NOT_FOUND */
export async function requireSource(parts: EngineParts, workspaceId: string, id: string): Promise<SourceRow> {
  const source = await parts.catalog.sources.find(workspaceId, id);
  if (source === undefined)
    throw new HoldfastError('NOT_FOUND', 'There is no such source in this workspace.');
  return source;
}
