/** SQLite as a source: a database file of this host. */
import { throwIfAborted } from '../../../errors.ts';
import type { Database } from '../../source.ts';
import { findOutcome, forgetOutcome, sweepRestore } from './outcome.ts';
import { beginRestore } from './restore.ts';
import { sqliteScratch } from './scratch.ts';
import { openSnapshot } from './snapshot.ts';
import { type OpenMode, WorkerProcess } from './worker-process.ts';

/** Settings that seldom need changing. */
export interface SqliteOptions {
  /** How long reading waits for locks of the application, milliseconds. */
  readonly busyTimeoutMs?: number;
}

/**
 * The database in a file. Opens nothing yet; every call runs in a process of its own, which ends with the call,
 * with an abort, and with this process.
 *
 * A file that does not exist is described as an empty database, into which a restore that brings the structure may go;
 * a snapshot of it is refused, since nobody wants a backup of a mistyped path.
 *
 * SQLite does not know its sessions: `sessions` answers undefined and `endSessions` of a restore has no effect; an
 * application that holds a lock makes the restore SOURCE_BUSY.
 */
export function openSqlite(path: string, options: SqliteOptions = {}): Database {
  const busyTimeoutMs = options.busyTimeoutMs ?? 5000;

  async function readOnce<T>(
    mode: OpenMode,
    ask: (worker: WorkerProcess) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    throwIfAborted(signal);
    const worker = new WorkerProcess(path, mode, busyTimeoutMs);
    try {
      return await ask(worker);
    } finally {
      await worker.close();
    }
  }

  return {
    kind: 'SQLITE',
    describe: (signal) => readOnce('EXAMINE', (worker) => worker.request('describe', {}, signal), signal),
    countRows: (tables, signal) =>
      readOnce(
        'READ',
        (worker) => worker.request('countRows', { tables: tables.map((table) => table.name) }, signal),
        signal,
      ),
    sessions: async () => undefined,
    openSnapshot: (signal) => openSnapshot(path, busyTimeoutMs, signal),
    beginRestore: (request, signal) => beginRestore(path, request, signal),
    outcome: (ticket, signal) => findOutcome(path, ticket, signal),
    sweep: (restoreId, signal) => sweepRestore(path, restoreId, signal),
    forget: (ticket, signal) => forgetOutcome(path, ticket, signal),
    scratch: sqliteScratch(path, (other) => openSqlite(other, options)),
  };
}
