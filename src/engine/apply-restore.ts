/** The part of a restore that changes the target: stage, load, prove, then let commit-restore.ts decide. */
import type { BundleReader } from '../bundle/bundle.ts';
import { addDigests, ContentDigest } from '../bundle/content-digest.ts';
import type { ManifestTable } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Database, DatabaseRestore, SequenceState, TableToRestore } from '../source/source.ts';
import { commitRestore, prepareDecision } from './commit-restore.ts';
import type { RestoreBackupRequest } from './engine.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import type { RestoreResult } from './record-result.ts';
import type { PreparedRestore } from './restore-plan.ts';
import type { RunningRecord } from './running-record.ts';
import { type StagedFiles, stageFiles } from './stage-files.ts';
import { tableKey, tableLabel } from './table-order.ts';

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
  readonly tables: { schema: string | null; name: string; rows: number }[];
  readonly proven: boolean;
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
  };
  let committing = false;
  try {
    loaded = await load(parts, record, order);
    const result: RestoreResult = {
      kind: 'RESTORE',
      targetState: 'WHOLLY_OLD',
      dryRun: order.request.dryRun,
      rolledBack: true,
      proven: loaded?.proven ?? true,
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
  { request, target, reader, prepared }: RestoreOrder,
): Promise<Loaded | undefined> {
  const { tables } = prepared;
  if (tables.length === 0 || target.database === null || reader.manifest.database === null) return undefined;
  const database = await openDatabase(parts, target.database);
  const toRestore = new Map(tables.map((table) => [tableKey(table), restorable(table)]));
  const sequences = await sequencesToSet(
    database,
    reader.manifest.database.sequences,
    request,
    tables,
    record.signal,
  );
  let begun: DatabaseRestore | undefined;
  try {
    const transaction = await record.phase('CLEAR_TABLES', async () => {
      begun = await database.beginRestore(
        {
          tables: [...toRestore.values()],
          clearedColumns: target.clearedColumns.filter((cleared) => toRestore.has(tableKey(cleared.table))),
          lockTimeoutMs: request.lockTimeoutMs,
          endSessions: request.endSessions,
          restoreId: record.row.id,
        },
        record.signal,
      );
      await begun.clear(record.signal);
      return begun;
    });
    const counts = await record.phase('LOAD_TABLES', async (meter) => {
      meter.expect({ rows: tables.reduce((sum, table) => sum + table.rowCount, 0) });
      const loaded: Loaded['tables'] = [];
      for (const table of tables) {
        meter.item(tableLabel(table));
        const rows = counted(reader.readTable(table, record.signal), (bytes, rowCount) =>
          meter.add({ bytes, rows: rowCount }),
        );
        const taken = await transaction.load(restorable(table), rows, record.signal);
        if (taken !== table.rowCount) throw shortOf(table, taken);
        loaded.push({ schema: table.schema, name: table.name, rows: taken });
      }
      return loaded;
    });
    await record.phase('CONSTRAINTS', async () => {
      await transaction.finish(sequences, record.signal);
    });
    const proven = await record.phase('PROVE', async (meter) => {
      meter.expect({ rows: tables.reduce((sum, table) => sum + table.rowCount, 0) });
      const digests = await expectedDigests(reader, record.signal);
      let everyTable = true;
      for (const table of tables) {
        meter.item(tableLabel(table));
        const cleared = target.clearedColumns.some((columns) => tableKey(columns.table) === tableKey(table));
        const found = new ContentDigest();
        for await (const chunk of transaction.readRows(restorable(table), record.signal)) {
          const before = found.rows;
          found.update(chunk);
          meter.add({ bytes: chunk.length, rows: found.rows - before });
        }
        const { rows, digest } = found.totals();
        if (rows !== table.rowCount) throw shortOf(table, rows);
        if (cleared) everyTable = false;
        else if (digest !== digests.get(tableKey(table))) throw differs(table);
      }
      return everyTable;
    });
    return { transaction, tables: counts, proven };
  } catch (error) {
    await begun?.rollback();
    throw error;
  }
}

function restorable(table: ManifestTable): TableToRestore {
  return { schema: table.schema, name: table.name, columns: table.columns.map((column) => column.name) };
}

/** A whole restore sets every sequence; a partial one only those that belong to its tables. */
async function sequencesToSet(
  database: Database,
  bundled: readonly SequenceState[],
  request: RestoreBackupRequest,
  tables: readonly ManifestTable[],
  signal: AbortSignal,
): Promise<readonly SequenceState[]> {
  if (request.selection.tables === null || bundled.length === 0) return bundled;
  const snapshot = await database.openSnapshot(signal);
  try {
    const nobodys = new Set((await snapshot.readSequences([], signal)).map(tableKey));
    const theirs = new Set((await snapshot.readSequences(tables, signal)).map(tableKey));
    return bundled.filter((sequence) => theirs.has(tableKey(sequence)) && !nobodys.has(tableKey(sequence)));
  } finally {
    await snapshot.close();
  }
}

async function* counted(
  rows: AsyncIterable<Buffer>,
  onChunk: (bytes: number, rows: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of rows) {
    let count = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count += 1;
    onChunk(chunk.length, count);
    yield chunk;
  }
}

async function expectedDigests(reader: BundleReader, signal: AbortSignal): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for await (const entry of reader.entries(signal)) {
    if (entry.kind !== 'TABLE_PART') continue;
    const key = tableKey({ schema: entry.schema, name: entry.table });
    const before = digests.get(key);
    digests.set(key, before === undefined ? entry.digest : addDigests(before, entry.digest));
  }
  return digests;
}

function shortOf(table: ManifestTable, rows: number): HoldfastError {
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `${tableLabel(table)}: the database holds ${rows} rows after loading, the bundle has ${table.rowCount}.`,
    { hint: 'Everything was rolled back. A rule or trigger of the target may refuse or add rows.' },
  );
}

function differs(table: ManifestTable): HoldfastError {
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `${tableLabel(table)}: what the database holds after loading is not what the bundle holds.`,
    { hint: 'Everything was rolled back. Compare the types and collations of the target with the manifest.' },
  );
}
