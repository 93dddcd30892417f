/** What recovery does with a restore: both sides are made one, and the record says which, and who knew. */
import type { DatabaseSettings, RecordRow, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Database } from '../source/source.ts';
import { died } from './died.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { readRequest } from './record-request.ts';
import type { RestoreResult, TargetState } from './record-result.ts';
import { removeLeftovers } from './recover-leftovers.ts';
import { type RestoreRequest, untouched } from './restore-backup.ts';
import { dropJournal, type RestoreJournal, readJournal, settle } from './restore-journal.ts';
import type { RunningRecord } from './running-record.ts';

const WHOLLY_OLD = 'Database and files are wholly as they were before the restore.';

/**
 * Resolves to why the restore failed; undefined when it took effect.
 * @throws HoldfastError SOURCE_UNREACHABLE when its database cannot be asked now
 */
export async function recoverRestore(
  parts: EngineParts,
  record: RunningRecord,
  row: RecordRow,
): Promise<HoldfastError | undefined> {
  const request = readRequest<RestoreRequest>(row);
  const source = await parts.catalog.sources.find(row.workspaceId, request.sourceId);
  const journal = await readJournal(parts, row.id);
  const before = restoreResult(row, request.dryRun);
  const state = journal === undefined ? before.targetState : await settleJournal(parts, journal, source);
  const decidedBy = journal?.decidedBy ?? before.decidedBy;
  const result = { ...before, ...(decidedBy !== undefined && { decidedBy }) };
  if (state === 'WHOLLY_NEW') {
    const warning = howItBecameNew(row, journal, decidedBy);
    if (!record.warnings.includes(warning)) record.warn(warning);
    await record.keepResult({ ...result, targetState: 'WHOLLY_NEW', rolledBack: false });
    await dropJournal(parts, row.id);
    return undefined;
  }
  await record.keepResult({ ...result, targetState: 'WHOLLY_OLD', rolledBack: true });
  if (journal === undefined && !(await removeLeftovers(parts, row, source, record.signal))) {
    record.warn(
      'What the restore had begun beside the tables of the database could not be removed. It is tried again until the database answers.',
    );
  }
  for (const path of targetsOf(source, request)) {
    await parts.trees.sweep(path, row.id).catch((error: unknown) => {
      parts.log.warn({ err: error, recordId: row.id }, 'what a restore had staged could not be removed');
      record.warn(`What the restore had staged beside ${path} could not be removed.`);
    });
  }
  await dropJournal(parts, row.id);
  return whyItStayedOld(row, journal, decidedBy);
}

async function settleJournal(
  parts: EngineParts,
  journal: RestoreJournal,
  source: SourceRow | undefined,
): Promise<TargetState> {
  const { signal } = new AbortController();
  const settings = source?.database ?? null;
  if (journal.decidedBy !== undefined) {
    // The database may be gone for good: nothing waits for it any more.
    const decided = await settle(parts, journal, undefined, signal);
    if (settings !== null) await forgetIfThere(parts, journal, settings, signal);
    return toState(decided);
  }
  const database = settings === null ? undefined : await openDatabase(parts, settings);
  if (settings?.kind === 'SQLITE' && database !== undefined && settings.path !== journal.databasePath) {
    await requireMark(journal, database, signal);
  }
  return toState(await settle(parts, journal, database, signal));
}

function toState(side: 'NEW' | 'OLD'): TargetState {
  return side === 'NEW' ? 'WHOLLY_NEW' : 'WHOLLY_OLD';
}

async function forgetIfThere(
  parts: EngineParts,
  { ticket, recordId }: RestoreJournal,
  settings: DatabaseSettings,
  signal: AbortSignal,
): Promise<void> {
  if (ticket === null) return;
  try {
    await (await openDatabase(parts, settings)).forget(ticket, signal);
  } catch (error) {
    parts.log.warn({ err: error, recordId }, 'the mark of a restore may be left in its database');
  }
}

/** An SQLite file that was moved is known by the mark of the restore; without one it may be any file. */
async function requireMark(
  { ticket, decided, databasePath }: RestoreJournal,
  database: Database,
  signal: AbortSignal,
): Promise<void> {
  if (ticket === null || decided !== null || databasePath === undefined) return;
  if ((await database.outcome(ticket, signal)) === 'COMMITTED') return;
  throw new HoldfastError(
    'SOURCE_UNREACHABLE',
    'The SQLite database at the new path has no mark of the restore: either it did not commit, or this is another file.',
  );
}

/** A process that dies leaves its phase open; one that could not settle the restore has closed it. */
function wasLeftOpen(row: RecordRow, journal: RestoreJournal | undefined): boolean {
  const phase = row.phases.at(-1);
  return journal !== undefined && phase?.name === 'COMMIT' && phase.status !== 'RUNNING';
}

function howItBecameNew(
  row: RecordRow,
  journal: RestoreJournal | undefined,
  decidedBy: string | undefined,
): string {
  if (decidedBy !== undefined) {
    return `${decidedBy} decided that the restore took effect, and the files were brought to its side; the database was not asked.`;
  }
  return wasLeftOpen(row, journal)
    ? 'The restore could not be settled right after its commit; recovery brought it to its end.'
    : 'The server stopped while the restore was committing; recovery brought it to its end.';
}

function whyItStayedOld(
  row: RecordRow,
  journal: RestoreJournal | undefined,
  decidedBy: string | undefined,
): HoldfastError {
  const hint = 'Start the restore again when the server is well.';
  if (decidedBy !== undefined) {
    return new HoldfastError(
      'SOURCE_UNREACHABLE',
      `The database could not be asked what became of the restore. ${decidedBy} decided that it did not take effect, and the files are as they were before; the database was not asked.`,
      { hint: 'See that the database is on that side too, then start the restore again.' },
    );
  }
  if (!wasLeftOpen(row, journal)) return died(row, WHOLLY_OLD, hint);
  return new HoldfastError(
    'SOURCE_UNREACHABLE',
    `The restore did not commit, and that could not be found out at once: its warnings say why. ${WHOLLY_OLD}`,
    { hint: 'Start the restore again when the source is well.' },
  );
}

/** What the record knew when its process died: before COMMIT it has written down what was loaded and proven. */
function restoreResult(row: RecordRow, dryRun: boolean): RestoreResult {
  // Written by RunningRecord.keepResult of this kind of record alone.
  return { ...untouched(dryRun), ...(row.result as Partial<RestoreResult> | null) };
}

function targetsOf(source: SourceRow | undefined, request: RestoreRequest): string[] {
  if (source === undefined) return [];
  const trees = [...source.trees, ...source.configTrees].map((tree) => tree.path);
  const env = request.selection.envFile ? (source.envFile?.restorePath ?? null) : null;
  return env === null ? trees : [...trees, env];
}
