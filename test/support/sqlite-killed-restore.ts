import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { RestoreTicket } from '../../src/source/source.ts';
import type { RestoreOrder } from './sqlite-restore-process.ts';

/** Runs a restore in another process, kills that with SIGKILL where the order says, and gives the ticket. */
export async function killedRestore(order: RestoreOrder): Promise<RestoreTicket> {
  const service = fork(new URL('./sqlite-restore-process.ts', import.meta.url), { execArgv: [], env: {} });
  try {
    service.send(order);
    const [ticket] = await Promise.race([
      once(service, 'message'),
      once(service, 'exit').then(() => {
        throw new Error('the restoring process ended by itself');
      }),
    ]);
    // It sends nothing but its ticket.
    return ticket as RestoreTicket;
  } finally {
    if (service.exitCode === null) {
      service.kill('SIGKILL');
      await once(service, 'exit');
    }
  }
}
