/** What a restore does to the structure of the database it goes into. */
import type { BundledSchema, BundleReader } from '../bundle/bundle.ts';
import type { DatabaseSettings } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { DatabaseDescription } from '../source/source.ts';
import type { OnDrift, RestoreStructure, SchemaDifference, Selection } from './engine.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { compareScripts } from './schema-differences.ts';

/** The structure of a restore. */
export interface PlannedStructure {
  readonly structure: RestoreStructure;
  /** The bundle's; null when it is not needed or there is none. */
  readonly script: BundledSchema | null;
  /** Between the bundle's structure and the live one; empty when one of them is not known. */
  readonly differences: readonly SchemaDifference[];
  /** What the live structure has where it differs, as a hash; null when the two were not compared. */
  readonly fingerprint: string | null;
  readonly warnings: readonly string[];
  readonly refusals: readonly string[];
}

/** What is known of the target when its structure is planned. */
export interface StructureGround {
  readonly settings: DatabaseSettings | undefined;
  readonly live: DatabaseDescription | undefined;
  readonly selection: Selection;
  readonly onDrift: OnDrift;
}

const NOTHING = { script: null, differences: [], fingerprint: null, warnings: [], refusals: [] };

/** Decides whether the structure is kept, created or replaced. @throws HoldfastError what the bundle refuses with */
export async function planStructure(
  parts: EngineParts,
  reader: BundleReader,
  { settings, live, selection, onDrift }: StructureGround,
  signal: AbortSignal,
): Promise<PlannedStructure> {
  if (settings === undefined || live === undefined) return { structure: 'KEEP', ...NOTHING };
  const script = await reader.readSchema(signal);
  if (live.empty && script !== null) {
    const warnings =
      selection.tables === null
        ? []
        : [
            'The database is empty: every table of the bundle is made, those that are not selected without rows.',
          ];
    return { structure: 'CREATE', ...NOTHING, script, warnings };
  }
  if (onDrift !== 'RESTORE_SCHEMA') {
    return { structure: 'KEEP', ...NOTHING, ...(await compare(parts, settings, script, signal)) };
  }
  const refusals: string[] = [];
  if (script === null) refusals.push('The bundle holds no structure that could be put back.');
  if (selection.tables !== null) {
    refusals.push('The structure can only be put back with all tables of the bundle, not with a selection.');
  }
  const compared = await compare(parts, settings, script, signal);
  return { structure: 'REPLACE', ...NOTHING, ...compared, script, refusals };
}

const NOT_COMPARED = { differences: [], fingerprint: null, warnings: [] };

/** A structure that cannot be read now takes nothing from a restore that keeps it. */
async function compare(
  parts: EngineParts,
  settings: DatabaseSettings,
  script: BundledSchema | null,
  signal: AbortSignal,
): Promise<Pick<PlannedStructure, 'differences' | 'fingerprint' | 'warnings'>> {
  if (script === null) return NOT_COMPARED;
  try {
    const snapshot = await (await openDatabase(parts, settings)).openSnapshot(signal);
    try {
      return { ...compareScripts(script, await snapshot.readSchema(signal)), warnings: [] };
    } finally {
      await snapshot.close();
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof HoldfastError)) throw error;
    return { ...NOT_COMPARED, warnings: [`The structures could not be compared: ${error.message}`] };
  }
}
