/**
 * How an interrupted restore is found out: inside its transaction it made a table with a name of its own. The
 * table is there exactly when the transaction was committed.
 */
import { HoldfastError, throwIfAborted } from '../../../errors.ts';
import type { RestoreTicket } from '../../source.ts';
import { isGoneAgain, isThere, keepMadeFile, removeMadeFile, wasMadeFor } from './new-file.ts';
import { WorkerProcess } from './worker-process.ts';

/** Other work on the database is waited for this long, milliseconds: the answer decides over a restore. */
const PATIENCE_MS = 30_000;

const MARKER_PREFIX = 'holdfast_restore_';

/** Restores of this process that are still open, by marker. */
const openRestores = new Map<string, WorkerProcess>();

/** Lets {@link findOutcome} end a restore that is still open. */
export function rememberOpen(restoreId: string, worker: WorkerProcess): void {
  openRestores.set(markerOf(restoreId), worker);
}

/** Once it is committed or rolled back. */
export function forgetOpen(restoreId: string): void {
  openRestores.delete(markerOf(restoreId));
}

/** As far as it stands in the name: enough to find the file that was made for it. */
function restoreIdOf(marker: string): string {
  return marker.slice(MARKER_PREFIX.length);
}

/** The name of the table that marks a restore as committed. */
export function markerOf(restoreId: string): string {
  return `${MARKER_PREFIX}${restoreId.replace(/[^0-9A-Za-z]/g, '')}`;
}

/** See {@link Database.outcome} of source/source.ts. */
export async function findOutcome(
  path: string,
  ticket: RestoreTicket,
  signal: AbortSignal,
): Promise<'COMMITTED' | 'ROLLED_BACK'> {
  const marker = markerIn(ticket);
  throwIfAborted(signal);
  // One that another process still runs is waited for: its process ends with it.
  await openRestores.get(marker)?.terminate();
  const { madeIn } = ticket;
  try {
    if (typeof madeIn === 'string' && (await isGoneAgain(path, { directory: madeIn }))) return 'ROLLED_BACK';
    const found = await writeOnce(path, signal, (worker) => worker.request('outcome', { marker }, signal));
    if (found === 'ROLLED_BACK') await removeMadeFile(path, restoreIdOf(marker));
    return found;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === 'CANCELED' || signal.aborted) throw error;
    throw new HoldfastError(
      'SOURCE_UNREACHABLE',
      `What became of the restore is not known: ${error.message}`,
      {
        hint: error.hint ?? 'Make the database file available again, then try again.',
        cause: error,
      },
    );
  }
}

/** See {@link Database.forget} of source/source.ts. */
export async function forgetOutcome(path: string, ticket: RestoreTicket, signal: AbortSignal): Promise<void> {
  const marker = markerIn(ticket);
  await writeOnce(path, signal, (worker) => worker.request('forget', { marker }, signal));
  await keepMadeFile(path, restoreIdOf(marker));
}

/**
 * See {@link Database.sweep} of source/source.ts. All a restore leaves in a database is a journal, and whoever opens it
 * next plays that back; a file that it made is left too.
 */
export async function sweepRestore(path: string, restoreId: string, signal: AbortSignal): Promise<void> {
  if (!(await wasMadeFor(path, restoreId))) return;
  try {
    await writeOnce(path, signal, (worker) => worker.request('settle', {}, signal));
  } catch (error) {
    // It died before it had made the file: only the note is there.
    if (await isThere(path)) throw error;
  }
  await removeMadeFile(path, restoreId);
}

async function writeOnce<T>(
  path: string,
  signal: AbortSignal,
  ask: (worker: WorkerProcess) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const worker = new WorkerProcess(path, 'WRITE', PATIENCE_MS);
  try {
    return await ask(worker);
  } finally {
    await worker.close();
  }
}

function markerIn(ticket: RestoreTicket): string {
  const { marker } = ticket;
  if (typeof marker !== 'string' || !/^holdfast_restore_[0-9A-Za-z]+$/.test(marker)) {
    throw new HoldfastError('INTERNAL', 'The ticket names no restore of a SQLite database.');
  }
  return marker;
}
