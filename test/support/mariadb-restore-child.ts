/** Runs a restore into MariaDB up to a point, tells its ticket and waits to be killed. Started by fork(). */

import { openMariadb } from '../../src/source/database/mariadb/mariadb.ts';
import type { InterruptedRestore } from '../conformance/database.ts';

/** What the parent sends. */
export interface RestoreChildOrder extends InterruptedRestore {
  readonly url: string;
  readonly when: 'BEFORE COMMIT' | 'AFTER COMMIT';
}

async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

process.once('message', async (message) => {
  // The parent in mariadb-database.ts sends nothing else.
  const order = message as RestoreChildOrder;
  const signal = new AbortController().signal;
  const restore = await openMariadb(order.url).beginRestore(order.request, signal);
  await restore.clear(signal);
  for (const [n, table] of order.request.tables.entries()) {
    await restore.load(table, bytes(order.rows[n] ?? ''), signal);
  }
  await restore.finish(order.sequences, signal);
  const ticket = await restore.ticket();
  if (order.when === 'AFTER COMMIT') await restore.commit();
  process.send?.(ticket);
});
