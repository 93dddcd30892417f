/** Who keeps tables locked, for people to read. */
import type { PostgresSession } from './session.ts';

/** How many sessions are named. */
const NAMED = 5;

/** Other sessions that hold locks on `tables` (quoted names), e.g. `"web" (user app, pid 123, idle in transaction)`. */
export async function lockHolders(
  session: PostgresSession,
  tables: readonly string[],
  which: 'ANY' | 'ACCESS EXCLUSIVE ONLY',
  signal: AbortSignal,
): Promise<string> {
  const rows = await session.query<{
    pid: number | null;
    application: string | null;
    user: string | null;
    state: string | null;
  }>(
    `SELECT DISTINCT l.pid, a.application_name AS application, a.usename::text AS user, a.state
       FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
        AND ($2 OR l.mode = 'AccessExclusiveLock')
        AND l.relation IN (SELECT pg_catalog.to_regclass(t) FROM pg_catalog.unnest($1::text[]) AS t)`,
    [tables, which === 'ANY'],
    signal,
  );
  if (rows.length === 0) return 'a session that has just let go of them';
  const names = rows.slice(0, NAMED).map((row) => {
    if (row.pid === null) return 'a prepared transaction (see pg_prepared_xacts)';
    const state = row.state === null ? '' : `, ${row.state}`;
    return `"${row.application || 'unnamed application'}" (user ${row.user ?? 'unknown'}, pid ${row.pid}${state})`;
  });
  return rows.length > NAMED ? `${names.join(', ')} and ${rows.length - NAMED} more` : names.join(', ');
}
