/** Makes the structure, loads the rows and brings back the keys, in one open transaction: of a restore or a drill. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { Database, DatabaseRestore, DatabaseRestoreRequest, SequenceState } from '../source/source.ts';
import { type LoadedDigests, loadTables } from './load-tables.ts';
import type { RestoredTable } from './restored-table.ts';
import type { RunningRecord } from './running-record.ts';

/** What goes where. */
export interface DatabaseLoad {
  readonly database: Database;
  readonly reader: BundleReader;
  readonly tables: readonly RestoredTable[];
  readonly sequences: readonly SequenceState[];
  readonly request: DatabaseRestoreRequest;
}

/** A loaded transaction that waits to be proven, and committed or rolled back. */
export interface LoadedDatabase {
  readonly transaction: DatabaseRestore;
  readonly digests: LoadedDigests;
}

/** Phases CLEAR_TABLES, LOAD_TABLES and CONSTRAINTS. Rolled back when one of them fails. */
export async function loadDatabase(
  record: RunningRecord,
  { database, reader, tables, sequences, request }: DatabaseLoad,
): Promise<LoadedDatabase> {
  const { signal } = record;
  let begun: DatabaseRestore | undefined;
  try {
    const transaction = await record.phase('CLEAR_TABLES', async () => {
      begun = await database.beginRestore(request, signal);
      await begun.clear(signal);
      return begun;
    });
    const digests = await record.phase('LOAD_TABLES', (meter) =>
      loadTables(reader, transaction, tables, meter, signal),
    );
    await record.phase('CONSTRAINTS', async () => {
      await transaction.finish(sequences, signal);
    });
    return { transaction, digests };
  } catch (error) {
    await begun?.rollback();
    throw error;
  }
}
