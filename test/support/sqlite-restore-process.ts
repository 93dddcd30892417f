/** Runs a restore into SQLite up to a point, tells its ticket and waits to be killed. Started by fork(). */
import { openSqlite } from '../../src/source/database/sqlite/sqlite.ts';
import type { InterruptedRestore } from '../conformance/database.ts';
import { chunked } from './sqlite-chunks.ts';

/** What the parent sends. */
export interface RestoreOrder extends InterruptedRestore {
  readonly path: string;
  readonly when: 'BEFORE COMMIT' | 'AFTER COMMIT';
}

process.once('message', async (message) => {
  // The parent, sqlite-killed-restore.ts, sends nothing else.
  const order = message as RestoreOrder;
  const { signal } = new AbortController();
  const restore = await openSqlite(order.path).beginRestore(order.request, signal);
  await restore.clear(signal);
  for (const [place, table] of order.request.tables.entries()) {
    await restore.load(table, chunked(order.rows[place] ?? '', 10_000), signal);
  }
  await restore.finish(order.sequences, signal);
  const ticket = await restore.ticket();
  if (order.when === 'AFTER COMMIT') await restore.commit();
  process.send?.(ticket);
});
