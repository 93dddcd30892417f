/** restorePlan: what a restore would do, found out without changing anything. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { Manifest, ManifestTable } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Actor, BundleSigner, RestorePlan, RestorePlanRequest } from './engine.ts';
import { requireSource } from './find-source.ts';
import { type BundleFile, findBundle, openReader } from './open-bundle.ts';
import { refuseOverlaps } from './overlaps.ts';
import type { EngineParts } from './parts.ts';
import { planEnvFile } from './plan-env-file.ts';
import { planHash } from './plan-hash.ts';
import type { PlannedStructure } from './plan-structure.ts';
import { openSessions, planTables } from './plan-tables.ts';
import { planTrees, type TreeTarget } from './plan-trees.ts';
import { checkUnlock } from './request-secrets.ts';
import type { Adaptation } from './schema-drift.ts';
import { howToTrust, signerOf, whyNotTrusted } from './trust.ts';

/** A plan, and what a restore needs besides. */
export interface PreparedRestore {
  readonly plan: RestorePlan;
  /** Those that are restored, parents first. */
  readonly tables: readonly ManifestTable[];
  /** Whether rows or structure of the target's database are replaced. */
  readonly changesDatabase: boolean;
  /** How rows go into tables whose structure changed, by `tableKey`. */
  readonly adaptations: ReadonlyMap<string, Adaptation>;
  readonly structure: PlannedStructure;
  readonly trees: readonly TreeTarget[];
  /** Whether the structure of the target fits; false makes a restore SCHEMA_MISMATCH. */
  readonly fits: boolean;
  /** Whether the env file would be written over the one it was read from. */
  readonly overwritesEnvFile: boolean;
}

/** Answers the query. @throws HoldfastError NOT_FOUND, INVALID_INPUT, and what the bundle or target refuse with */
export async function restorePlan(
  parts: EngineParts,
  actor: Actor,
  request: RestorePlanRequest,
  signal: AbortSignal,
): Promise<RestorePlan> {
  checkUnlock(request.unlock);
  const bundle = await findBundle(parts, actor.workspaceId, request.bundle);
  const target = await requireTarget(parts, actor.workspaceId, request.sourceId, bundle);
  const reader = await openReader(parts, bundle, request.unlock, signal);
  try {
    return (await prepareRestore(parts, bundle, reader, target, request, signal)).plan;
  } finally {
    await reader.close();
  }
}

/** The source to restore into. @throws HoldfastError INVALID_INPUT, NOT_FOUND */
export async function requireTarget(
  parts: EngineParts,
  workspaceId: string,
  sourceId: string | null,
  bundle: BundleFile,
): Promise<SourceRow> {
  const id = sourceId ?? bundle.sourceId;
  if (id === null) {
    throw new HoldfastError('INVALID_INPUT', 'The bundle belongs to no source of this workspace.', {
      field: 'sourceId',
      hint: 'Name the source to restore into.',
    });
  }
  return await requireSource(parts, workspaceId, id);
}

/** Makes the plan. */
export async function prepareRestore(
  parts: EngineParts,
  bundle: BundleFile,
  reader: BundleReader,
  source: SourceRow,
  { selection, onDrift = 'REFUSE' }: Pick<RestorePlanRequest, 'selection' | 'onDrift'>,
  signal: AbortSignal,
): Promise<PreparedRestore> {
  const { manifest } = reader;
  // Links may have changed since the source was made.
  await refuseOverlaps(parts, source);
  // A snapshot from before a restore puts back what was there, runtime references included.
  const isUndo = manifest.trigger === 'PRE_RESTORE' && manifest.source.id === source.id;
  const target = isUndo ? { ...source, clearedColumns: [] } : source;
  const order = { target, selection, onDrift };
  const { tables, live, fits, structure, movesSequences, ...database } = await planTables(
    parts,
    reader,
    order,
    signal,
  );
  const trees = await planTrees(parts, reader, target, selection, signal);
  const envFile = await planEnvFile(target, manifest, selection);
  const changesDatabase = tables.length > 0 || structure.structure !== 'KEEP' || movesSequences;
  const signer = await signerOf(parts, bundle.workspaceId, reader.signature);
  const plan: Omit<RestorePlan, 'hash'> = {
    bundleName: bundle.name,
    bundleChecksum: bundle.checksum,
    signer,
    target,
    structure: structure.structure,
    schemaDifferences: structure.differences,
    tables: database.plans,
    untouchedTables: database.untouched,
    trees: trees.plans,
    envFile: envFile.path,
    sessions: await openSessions(parts, target, changesDatabase, signal),
    warnings: [...database.warnings, ...foreignWarnings(manifest, target), ...signerWarnings(signer)],
    refusals: [...database.refusals, ...trees.refusals, ...envFile.refusals],
  };
  const where = { trees: trees.targets, envFile };
  const basis = { selection, onDrift, live, structure, changesDatabase, tables, ...where };
  return {
    plan: { ...plan, hash: await planHash(parts, plan, basis) },
    tables,
    changesDatabase,
    adaptations: database.adaptations,
    structure,
    trees: trees.targets,
    fits,
    overwritesEnvFile: envFile.overwritesItself,
  };
}

function foreignWarnings(manifest: Manifest, target: SourceRow): string[] {
  if (manifest.source.id === target.id) return [];
  return [
    `The bundle was made from the source "${manifest.source.name}"; restoring it here needs allowForeignSource.`,
  ];
}

function signerWarnings(signer: BundleSigner): string[] {
  const reason = whyNotTrusted(signer);
  return reason === undefined ? [] : [`${reason} ${howToTrust(signer)}`];
}
