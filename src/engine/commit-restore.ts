/** The end of a restore: decides once for database and files, and tells the catalog. */
import type { SourceRow } from '../catalog/catalog.ts';
import { throwIfAborted } from '../errors.ts';
import type { SwapPlan } from '../source/file-trees.ts';
import type { Database, DatabaseRestore } from '../source/source.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import type { RestoreResult } from './record-result.ts';
import { requireHold } from './require-hold.ts';
import { dropJournal, type RestoreJournal, writeJournal } from './restore-journal.ts';
import { type RunningRecord, UndecidedError } from './running-record.ts';
import { settleNow } from './settle-restore.ts';

/** Everything the decision needs. */
export interface Decision {
  readonly database: Database | undefined;
  readonly transaction: DatabaseRestore | undefined;
  readonly journal: RestoreJournal;
}

/** Gathers it; until {@link commitRestore} is called, everything can simply be taken back. */
export async function prepareDecision(
  parts: EngineParts,
  record: RunningRecord,
  target: SourceRow,
  transaction: DatabaseRestore | undefined,
  swaps: readonly SwapPlan[],
): Promise<Decision> {
  const database = target.database === null ? undefined : await openDatabase(parts, target.database);
  const ticket = (await transaction?.ticket()) ?? null;
  const place = target.database?.kind === 'SQLITE' ? { databasePath: target.database.path } : {};
  const journal = { recordId: record.row.id, ticket, swaps, decided: null, ...place };
  return { database, transaction, journal };
}

/**
 * The decision. Order matters: the journal is on disk before the first rename, files are swapped before COMMIT so
 * that a rename that fails can still be taken back, and COMMIT decides for both.
 */
export async function commitRestore(
  parts: EngineParts,
  record: RunningRecord,
  { database, transaction, journal }: Decision,
  result: RestoreResult,
): Promise<void> {
  let failure: unknown;
  // Until COMMIT is tried the database is certainly old; after that only it can tell.
  let known: 'NEW' | 'OLD' | null = 'OLD';
  try {
    await writeJournal(parts, journal);
    // After the journal, not before: a server that takes over from here on finds it and ends the transaction.
    await requireHold(parts, record.row);
    for (const plan of journal.swaps) await parts.trees.swap(plan);
    throwIfAborted(record.signal);
    known = null;
    if (transaction === undefined) await writeJournal(parts, { ...journal, decided: 'NEW' });
    else await transaction.commit();
    known = 'NEW';
  } catch (error) {
    failure = error;
    await transaction?.rollback();
  }
  const state = await settleNow(parts, record, database, journal, known);
  if (state === 'NEW') {
    if (failure !== undefined)
      record.warn('The connection broke during COMMIT; the database says that it committed.');
    for (const warning of transaction?.warnings ?? []) record.warn(warning);
    await keepNew(record, result);
  }
  await dropJournal(parts, record.row.id);
  if (state === 'OLD') throw failure;
}

/** The catalog must know before the journal goes; if it cannot be told, recovery will tell it. */
async function keepNew(record: RunningRecord, result: RestoreResult): Promise<void> {
  try {
    await record.keepResult({ ...result, targetState: 'WHOLLY_NEW', rolledBack: false });
  } catch (error) {
    throw new UndecidedError('the restore is done, but the catalog could not be told', { cause: error });
  }
}
