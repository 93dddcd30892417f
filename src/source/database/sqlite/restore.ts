import { throwIfAborted } from '../../../errors.ts';
import type { DatabaseRestore, DatabaseRestoreRequest } from '../../source.ts';
import { makeMissingFile, removeMadeFile } from './new-file.ts';
import { forgetOpen, markerOf, rememberOpen } from './outcome.ts';
import { WorkerProcess } from './worker-process.ts';

/** Opens a process that holds the write transaction of one restore. */
export async function beginRestore(
  path: string,
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
): Promise<DatabaseRestore> {
  throwIfAborted(signal);
  // Tables that are to be there already cannot be in a file that is not.
  const made = request.schema === undefined ? undefined : await makeMissingFile(path, request.restoreId);
  const worker = new WorkerProcess(path, 'WRITE', request.lockTimeoutMs);
  // What stays although it should not is found by recovery, and by whoever looks at the file.
  const takeBackFile = () => removeMadeFile(path, request.restoreId).catch(() => undefined);
  try {
    await worker.request('beginRestore', { request }, signal);
  } catch (error) {
    await worker.terminate();
    if (made !== undefined) await takeBackFile();
    throw error;
  }
  let ended = false;
  rememberOpen(request.restoreId, worker);

  return {
    // One connection holds the transaction, and SQLite has one writer.
    concurrentLoads: 1,
    clear: async (clearSignal) => {
      await worker.request('clear', {}, clearSignal);
    },
    load: (table, rows, loadSignal) =>
      worker.load({ table: table.name, columns: table.columns }, rows, loadSignal),
    finish: async (sequences, finishSignal) => {
      await worker.request('finish', { sequences }, finishSignal);
    },
    readRows: (table, rowsSignal) => worker.rows({ table: table.name, columns: table.columns }, rowsSignal),
    ticket: async () => {
      const marker = markerOf(request.restoreId);
      await worker.request('mark', { marker });
      return { kind: 'SQLITE', marker, ...(made !== undefined && { madeIn: made.directory }) };
    },
    commit: async () => {
      await worker.request('commit', {});
      ended = true;
      forgetOpen(request.restoreId);
      await worker.close();
    },
    rollback: async () => {
      if (ended) return;
      ended = true;
      await rollBack(path, worker, request.lockTimeoutMs);
      if (made !== undefined) await takeBackFile();
      forgetOpen(request.restoreId);
    },
  };
}

/** Ends the transaction; when its process is gone, another opens the database, which takes the rest back. */
async function rollBack(path: string, worker: WorkerProcess, busyTimeoutMs: number): Promise<void> {
  const graceful =
    !worker.busy &&
    (await worker.request('rollback', {}).then(
      () => true,
      () => false,
    ));
  if (graceful) return await worker.close();
  await worker.terminate();
  const successor = new WorkerProcess(path, 'WRITE', busyTimeoutMs);
  // A database that cannot be opened now is rolled back by whoever opens it next.
  await successor.request('settle', {}).catch(() => undefined);
  await successor.close();
}
