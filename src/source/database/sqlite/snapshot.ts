import { throwIfAborted } from '../../../errors.ts';
import type { DatabaseSnapshot } from '../../source.ts';
import { WorkerProcess } from './worker-process.ts';

/** Opens a process that holds one read transaction until the snapshot is closed. */
export async function openSnapshot(
  path: string,
  busyTimeoutMs: number,
  signal: AbortSignal,
): Promise<DatabaseSnapshot> {
  throwIfAborted(signal);
  const worker = new WorkerProcess(path, 'READ', busyTimeoutMs);
  try {
    const { description, instant } = await worker.request('beginSnapshot', {}, signal);
    return {
      description,
      instant: new Date(instant),
      readRows: (table, rowsSignal) =>
        worker.rows(
          {
            table: table.name,
            columns: table.columns.filter((column) => !column.generated).map((column) => column.name),
          },
          rowsSignal,
        ),
      readSequences: (tables, sequencesSignal) =>
        worker.request('sequences', { tables: tables.map((table) => table.name) }, sequencesSignal),
      readSchema: (schemaSignal) => worker.request('schema', {}, schemaSignal),
      // Only a read transaction is lost, so there is nothing to wait for politely.
      close: () => worker.terminate(),
    };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}
