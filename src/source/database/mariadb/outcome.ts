/** Finds out what became of an interrupted restore, and brings it to its end. */
import { HoldfastError } from '../../../errors.ts';
import type { RestoreTicket } from '../../source.ts';
import { endRestoreSessions, finishSwap, removeTraces, tableExists, takeBack } from './journal.ts';
import { RestoreNames } from './names.ts';
import type { MariadbSession } from './session.ts';

/** Tells one server from another; null where it has no identity. */
export async function serverIdentity(session: MariadbSession, signal: AbortSignal): Promise<string | null> {
  const [row] = await session.query(
    `SHOW GLOBAL VARIABLES LIKE '${session.isMariadb ? 'server_uid' : 'server_uuid'}'`,
    signal,
  );
  return row?.[1] ?? null;
}

/** Ends the restore's sessions, then goes forward if the tables were swapped, else back. Idempotent. */
export async function restoreOutcome(
  session: MariadbSession,
  ticket: RestoreTicket,
  signal: AbortSignal,
): Promise<'COMMITTED' | 'ROLLED_BACK'> {
  const names = await namesOf(session, ticket, signal);
  await endRestoreSessions(session, names, signal);
  if (await tableExists(session, names.swapped, signal)) {
    await finishSwap(session, names, signal);
    return 'COMMITTED';
  }
  await takeBack(session, names, signal);
  return 'ROLLED_BACK';
}

/** Removes what {@link restoreOutcome} needed. */
export async function forgetRestore(
  session: MariadbSession,
  ticket: RestoreTicket,
  signal: AbortSignal,
): Promise<void> {
  await removeTraces(session, await namesOf(session, ticket, signal), signal);
}

/** Removes what a restore left that never came to its swap. */
export async function sweepRestore(
  session: MariadbSession,
  restoreId: string,
  signal: AbortSignal,
): Promise<void> {
  const names = new RestoreNames(restoreId, session.database);
  await endRestoreSessions(session, names, signal);
  if (!(await tableExists(session, names.swapped, signal))) await takeBack(session, names, signal);
}

async function namesOf(
  session: MariadbSession,
  ticket: RestoreTicket,
  signal: AbortSignal,
): Promise<RestoreNames> {
  const { restoreId, database, server } = ticket;
  if (typeof restoreId !== 'string' || database !== session.database) throw elsewhere();
  const here = await serverIdentity(session, signal);
  if (server !== null && here !== null && server !== here) throw elsewhere();
  return new RestoreNames(restoreId, session.database);
}

function elsewhere(): HoldfastError {
  return new HoldfastError(
    'SOURCE_UNREACHABLE',
    'The address of the source now leads to another server or database than the one that was being restored.',
    { hint: 'Set the address back until the restore is settled.' },
  );
}
