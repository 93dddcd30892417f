/** Finds out what became of a restore whose client died. */
import { DatabaseError } from 'pg';
import { HoldfastError, throwIfAborted } from '../../../errors.ts';
import type { RestoreTicket } from '../../source.ts';
import { systemIdentifier } from './restore.ts';
import type { PostgresSession } from './session.ts';

/** How long a transaction that was told to end may take, milliseconds. */
const END_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

/**
 * Asks the server for the fate of the ticket's transaction; ends it first if it is still open.
 * @throws HoldfastError SOURCE_UNREACHABLE when the server cannot tell (now, or any more).
 */
export async function transactionOutcome(
  session: PostgresSession,
  ticket: RestoreTicket,
  signal: AbortSignal,
): Promise<'COMMITTED' | 'ROLLED_BACK'> {
  const { xid, pid, backendStart, system } = ticket;
  if (typeof xid !== 'string' || typeof pid !== 'number' || typeof backendStart !== 'string') {
    throw new HoldfastError('INVALID_INPUT', 'The journal of the restore names no PostgreSQL transaction.');
  }
  const here = await systemIdentifier(session);
  if (typeof system === 'string' && here !== null && here !== system) {
    throw undecided('The address of the source leads to another PostgreSQL server than the restore went to.');
  }
  const deadline = Date.now() + END_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const status = await statusOf(session, xid, signal);
    if (status === 'committed') return 'COMMITTED';
    if (status === 'aborted') return 'ROLLED_BACK';
    if (status === null) throw undecided('PostgreSQL has forgotten the transaction of the restore.');
    await session.terminate(pid, backendStart, signal);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    throwIfAborted(signal);
  }
  throw undecided('The transaction of the restore is still open in PostgreSQL and does not end.');
}

async function statusOf(session: PostgresSession, xid: string, signal: AbortSignal): Promise<string | null> {
  try {
    const rows = await session.query<{ status: string | null }>(
      'SELECT pg_catalog.pg_xact_status($1::text::pg_catalog.xid8) AS status',
      [xid],
      signal,
    );
    return rows[0]?.status ?? null;
  } catch (error) {
    // "transaction ID … is in the future": a server that was set back to before the restore began.
    if (error instanceof DatabaseError && error.code === '22023') return 'aborted';
    throw error;
  }
}

function undecided(message: string): HoldfastError {
  return new HoldfastError('SOURCE_UNREACHABLE', message, {
    hint: 'Correct the address of the source, or look at the database and decide by hand.',
  });
}
