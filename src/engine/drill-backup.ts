/**
 * A drill: a bundle is restored, by the code that restores, into a scratch database and a scratch directory, and what
 * came of it is compared with the manifest. Both are removed whatever happens.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import type { ManifestDatabase } from '../bundle/manifest.ts';
import type { PhaseState, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { SchemaScript } from '../source/schema-script.ts';
import type { Database } from '../source/source.ts';
import { compareScratch } from './drill-compare.ts';
import { proveFiles, type StagedDrill, stageDrillFiles, sweepDrillFiles } from './drill-files.ts';
import { openGround, scratchName, textSettingsOf } from './drill-ground.ts';
import { type LoadedDatabase, loadDatabase } from './load-database.ts';
import type { EngineParts } from './parts.ts';
import type { ProvenTable } from './prove-tables.ts';
import { type RestoredTable, restoredTable } from './restored-table.ts';
import type { RunningRecord } from './running-record.ts';

/** What a drill came to. */
export interface DrillReport {
  readonly tables: readonly ProvenTable[];
  /** What is not as the manifest says, in words; empty when the bundle restores as it was. */
  readonly differences: readonly string[];
  /** What a restore of the bundle takes; see {@link restoreSeconds}. */
  readonly restoreSeconds: number;
}

/** How long a statement waits for a lock, milliseconds; nobody else is in a scratch database. */
const LOCK_TIMEOUT_MS = 30_000;

/** Phases of a drill that a restore does not have. */
const OF_THE_DRILL: ReadonlySet<string> = new Set(['SCRATCH', 'CLEAN_UP']);

/**
 * Restores the bundle of `reader` into scratch ground and compares.
 * @throws HoldfastError what the bundle, the server or the disk refuse with
 */
export async function drillBackup(
  parts: EngineParts,
  record: RunningRecord,
  reader: BundleReader,
  source: SourceRow | undefined,
): Promise<DrillReport> {
  const { database } = reader.manifest;
  let used: Database | undefined;
  try {
    const scratch = await record.phase('SCRATCH', async () => {
      if (database === null) return undefined;
      const ground = await openGround(parts, record.row.id, source, database.kind);
      // A server that does not answer at all has made nothing.
      await ground.scratch.check(record.signal);
      try {
        const made = await makeScratch(parts, record, ground, source, database);
        used = ground;
        return made;
      } catch (error) {
        // Its answer was lost: it may be there. One that was there already is none of ours.
        if (error instanceof HoldfastError && error.code === 'SOURCE_UNREACHABLE') used = ground;
        throw error;
      }
    });
    const staged = await stageDrillFiles(parts, record, reader);
    try {
      return await restoreAndProve(record, reader, scratch, staged);
    } finally {
      await staged?.abort();
    }
  } finally {
    await record.finalPhase('CLEAN_UP', () => cleanUp(parts, record, used));
  }
}

async function makeScratch(
  parts: EngineParts,
  record: RunningRecord,
  ground: Database,
  source: SourceRow | undefined,
  { kind }: ManifestDatabase,
): Promise<Database> {
  const like = await textSettingsOf(parts, source, kind, record.signal);
  const made = await ground.scratch.create(scratchName(record.row.id), like, record.signal);
  for (const warning of made.warnings) record.warn(warning);
  return made.database;
}

async function restoreAndProve(
  record: RunningRecord,
  reader: BundleReader,
  scratch: Database | undefined,
  staged: StagedDrill | undefined,
): Promise<DrillReport> {
  const { database } = reader.manifest;
  const bundled = (database?.tables ?? []).map((table) => restoredTable(table, undefined, []));
  const loaded =
    scratch === undefined || database === null
      ? undefined
      : await loadScratch(record, reader, scratch, database, bundled);
  const differences: string[] = [];
  const tables = await record.phase('PROVE', async (meter) => {
    const proven =
      scratch === undefined || loaded === undefined
        ? []
        : await compareScratch(record, { reader, scratch, tables: bundled, loaded }, meter, differences);
    if (staged !== undefined) await proveFiles(record, reader, staged, meter, differences);
    return proven;
  });
  return { tables, differences, restoreSeconds: restoreSeconds(record.row.phases) };
}

async function loadScratch(
  record: RunningRecord,
  reader: BundleReader,
  scratch: Database,
  database: ManifestDatabase,
  tables: readonly RestoredTable[],
): Promise<LoadedDatabase> {
  const script = await reader.readSchema(record.signal);
  if (script === null) throw new HoldfastError('INVALID_MANIFEST', 'The bundle holds no structure.');
  const loaded = await loadDatabase(record, {
    database: scratch,
    reader,
    tables,
    sequences: database.sequences,
    request: {
      tables: tables.map((table) => table.target),
      clearedColumns: [],
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      endSessions: false,
      restoreId: record.row.id,
      schema: { mode: 'CREATE', script: withoutEvents(record, script) },
    },
  });
  await record.phase('COMMIT', async () => {
    try {
      await loaded.transaction.commit();
    } catch (error) {
      await loaded.transaction.rollback();
      throw error;
    }
  });
  return loaded;
}

/** Events of MariaDB would run by themselves, and may reach into other databases of the server. */
function withoutEvents(record: RunningRecord, script: SchemaScript): SchemaScript {
  const isEvent = ({ object }: { readonly object: string }): boolean => object.startsWith('EVENT ');
  const events = [...script.before, ...script.after].filter(isEvent);
  if (events.length === 0) return script;
  record.warn(
    `Not made in the drill, since they would run: ${events.map(({ object }) => object).join(', ')}.`,
  );
  return {
    before: script.before.filter((statement) => !isEvent(statement)),
    after: script.after.filter((statement) => !isEvent(statement)),
    notCarried: script.notCarried,
  };
}

/** Seconds of the phases that a restore of the same bundle into an empty target goes through, its checks included. */
function restoreSeconds(phases: readonly PhaseState[]): number {
  return phases
    .filter((phase) => !OF_THE_DRILL.has(phase.name) && phase.finishedAt !== null)
    .reduce((sum, phase) => sum + seconds(phase), 0);
}

function seconds({ startedAt, finishedAt }: PhaseState): number {
  return finishedAt === null ? 0 : (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
}

/** Neither the record nor its cancellation waits for a server that is gone: the warning says what it may hold. */
async function cleanUp(
  parts: EngineParts,
  record: RunningRecord,
  ground: Database | undefined,
): Promise<void> {
  const { id } = record.row;
  const never = new AbortController().signal;
  if (ground !== undefined) {
    await ground.scratch.drop(scratchName(id), never).catch((error: unknown) => {
      parts.log.warn({ err: error, recordId: id }, 'the scratch database of a drill was not dropped');
      record.warn(
        `The scratch database ${scratchName(id)} could not be dropped. Drop it by hand; it holds what the backup holds.`,
      );
    });
  }
  try {
    await sweepDrillFiles(parts, id);
    await rm(join(parts.directories.temporary, id), { recursive: true, force: true });
  } catch (error) {
    parts.log.warn({ err: error, recordId: id }, 'the scratch directory of a drill was not removed yet');
  }
}

/** Removes what a drill left whose process died. What cannot be removed is told by a warning of the record. */
export async function sweepDrill(parts: EngineParts, record: RunningRecord): Promise<void> {
  const ground = await leftGround(parts, record).catch((error: unknown): undefined => {
    parts.log.warn({ err: error, recordId: record.row.id }, 'the ground of a dead drill was not found');
    record.warn(`The scratch database ${scratchName(record.row.id)} may be left on the server of the drill.`);
  });
  await cleanUp(parts, record, ground);
}

/** Where the dead drill made its database; undefined when it had not come so far, or needs no server. */
async function leftGround(parts: EngineParts, { row }: RunningRecord): Promise<Database | undefined> {
  const { id, workspaceId, backupId, sourceId, phases } = row;
  if (backupId === null || !phases.some(({ name }) => name === 'SCRATCH')) return undefined;
  const backup = await parts.catalog.backups.find(workspaceId, backupId);
  const kind = backup?.manifest.database?.kind;
  if (kind === undefined) return undefined;
  const source = sourceId === null ? undefined : await parts.catalog.sources.find(workspaceId, sourceId);
  return await openGround(parts, id, source, kind);
}
