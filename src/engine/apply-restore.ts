/** The part of a restore that changes the target: stage, load, prove, then let commit-restore.ts decide. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import type { SchemaChange } from '../source/schema-script.ts';
import type { ClearedColumns, Database, DatabaseRestore, SequenceState } from '../source/source.ts';
import { commitRestore, prepareDecision } from './commit-restore.ts';
import type { RestoreBackupRequest } from './engine.ts';
import { loadDatabase } from './load-database.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import type { PlannedStructure } from './plan-structure.ts';
import { type ProvenTable, proveTables } from './prove-tables.ts';
import type { RestoreResult } from './record-result.ts';
import { removeLeftovers } from './recover-leftovers.ts';
import type { PreparedRestore } from './restore-plan.ts';
import { type RestoredTable, restoredTable } from './restored-table.ts';
import type { RunningRecord } from './running-record.ts';
import { type StagedFiles, stageFiles } from './stage-files.ts';
import { tableKey } from './table-order.ts';

/** Everything a restore has found out before it begins. */
export interface RestoreOrder {
  readonly request: RestoreBackupRequest;
  readonly target: SourceRow;
  readonly reader: BundleReader;
  readonly prepared: PreparedRestore;
  readonly preRestoreBackupId: string | null;
}

/** What came of loading the tables. */
interface Loaded {
  readonly transaction: DatabaseRestore;
  readonly tables: ProvenTable[];
}

/** Applies a prepared restore. After any failure the target is wholly old. */
export async function applyRestore(
  parts: EngineParts,
  record: RunningRecord,
  order: RestoreOrder,
): Promise<void> {
  const staged = await stage(parts, record, order);
  let loaded: Loaded | undefined;
  const takeBack = async (): Promise<void> => {
    await loaded?.transaction.rollback();
    await staged.abort();
    // A rollback that the database does not hear leaves something: it is asked once more, or later.
    if (order.prepared.changesDatabase) {
      await removeLeftovers(parts, record.row, order.target, new AbortController().signal);
    }
  };
  let committing = false;
  try {
    loaded = await load(parts, record, order);
    const result: RestoreResult = {
      kind: 'RESTORE',
      targetState: 'WHOLLY_OLD',
      dryRun: order.request.dryRun,
      rolledBack: true,
      proven: true,
      rowsRestored: loaded?.tables.reduce((sum, table) => sum + table.rows, 0) ?? 0,
      filesRestored: staged.trees.reduce((sum, tree) => sum + tree.files, 0),
      tables: loaded?.tables ?? [],
      trees: staged.trees,
      envFileRestored: order.prepared.plan.envFile !== null,
      preRestoreBackupId: order.preRestoreBackupId,
    };
    await record.keepResult(result);
    if (order.request.dryRun) {
      await record.finalPhase('ROLL_BACK', takeBack);
      return;
    }
    await record.phase('COMMIT', async () => {
      const decision = await prepareDecision(parts, record, order.target, loaded?.transaction, staged.swaps);
      committing = true;
      await commitRestore(parts, record, decision, result);
    });
  } catch (error) {
    // Once COMMIT has begun, the journal decides what is taken back.
    if (!committing) await takeBack();
    throw error;
  }
}

async function stage(parts: EngineParts, record: RunningRecord, order: RestoreOrder): Promise<StagedFiles> {
  const { prepared, reader, request } = order;
  if (prepared.trees.length === 0 && prepared.plan.envFile === null) {
    return { swaps: [], trees: [], abort: async () => undefined };
  }
  let staged: StagedFiles | undefined;
  try {
    return await record.phase('STAGE_FILES', async (meter) => {
      meter.expect({ bytes: prepared.trees.reduce((sum, { bundled }) => sum + bundled.bytes, 0) });
      const envFile = request.selection.envFile ? prepared.plan.envFile : null;
      staged = await stageFiles(
        parts,
        { reader, trees: prepared.trees, envFile, restoreId: record.row.id },
        meter,
        record.signal,
      );
      return staged;
    });
  } catch (error) {
    // The end of the phase may fail too, when the catalog does.
    await staged?.abort();
    throw error;
  }
}

async function load(
  parts: EngineParts,
  record: RunningRecord,
  order: RestoreOrder,
): Promise<Loaded | undefined> {
  const { request, target, reader, prepared } = order;
  if (!prepared.changesDatabase || target.database === null || reader.manifest.database === null) {
    return undefined;
  }
  const { signal } = record;
  const database = await openDatabase(parts, target.database);
  const tables = prepared.tables.map((table) =>
    restoredTable(table, prepared.adaptations.get(tableKey(table)), target.clearedColumns),
  );
  const sequences = await sequencesToSet(database, reader.manifest.database.sequences, order, signal);
  const { transaction, digests } = await loadDatabase(record, {
    database,
    reader,
    tables,
    sequences,
    request: {
      tables: tables.map((table) => table.target),
      clearedColumns: clearedWithin(tables, target),
      lockTimeoutMs: request.lockTimeoutMs,
      endSessions: request.endSessions,
      restoreId: record.row.id,
      ...schemaChange(prepared.structure),
    },
  });
  try {
    const proven = await record.phase('PROVE', (meter) =>
      proveTables(reader, transaction, tables, digests, meter, signal),
    );
    return { transaction, tables: proven };
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

/** The columns to clear of those that are restored. */
function clearedWithin(tables: readonly RestoredTable[], target: SourceRow): readonly ClearedColumns[] {
  const restored = new Map(tables.map((table) => [tableKey(table.target), new Set(table.target.columns)]));
  return target.clearedColumns.flatMap(({ table, columns }) => {
    const held = columns.filter((name) => restored.get(tableKey(table))?.has(name) === true);
    return held.length === 0 ? [] : [{ table, columns: held }];
  });
}

function schemaChange({ structure, script }: PlannedStructure): { schema?: SchemaChange } {
  return structure === 'KEEP' || script === null ? {} : { schema: { mode: structure, script } };
}

/**
 * A whole restore sets every sequence; a partial one those that belong to its tables alone, one that adapts those
 * that are still there.
 */
async function sequencesToSet(
  database: Database,
  bundled: readonly SequenceState[],
  { request, prepared }: RestoreOrder,
  signal: AbortSignal,
): Promise<readonly SequenceState[]> {
  const partial = request.selection.tables !== null;
  const adapted = request.onDrift === 'ADAPT';
  if ((!partial && !adapted) || bundled.length === 0 || prepared.structure.structure !== 'KEEP')
    return bundled;
  const snapshot = await database.openSnapshot(signal);
  try {
    const nobodys = new Set((await snapshot.readSequences([], signal)).map(tableKey));
    const theirs = new Set((await snapshot.readSequences(prepared.tables, signal)).map(tableKey));
    return bundled.filter((sequence) => {
      const key = tableKey(sequence);
      return theirs.has(key) && !(partial && nobodys.has(key));
    });
  } finally {
    await snapshot.close();
  }
}
