/** inspectBundle: what a bundle says of itself, also one that is not in the catalog. No key is used. */
import type { Actor, BundleOrigin, InspectedBundle } from './engine.ts';
import { findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { signerOf } from './trust.ts';

/**
 * Reads the manifest of a stored or uploaded bundle, its signature checked; of a bundle that is not sealed also its
 * structure and list of entries.
 * @throws HoldfastError NOT_FOUND; what opening a bundle throws, where it is damaged
 */
export async function inspectBundle(
  parts: EngineParts,
  { workspaceId }: Actor,
  origin: BundleOrigin,
  signal: AbortSignal,
): Promise<InspectedBundle> {
  const { name, checksum, sizeBytes, open } = await findBundle(parts, workspaceId, origin);
  const reader = await parts.bundles.openReader(await open(signal), signal);
  try {
    const { manifest, signature } = reader;
    return { name, checksum, sizeBytes, manifest, signer: await signerOf(parts, workspaceId, signature) };
  } finally {
    await reader.close();
  }
}
