/** Who else uses the database. */
import type { DatabaseSession } from '../../source.ts';
import { quoteText } from './names.ts';
import type { MariadbSession } from './session.ts';

/** Other sessions in the database, those of a restore excepted. Without the privilege PROCESS only the user's own. */
export async function otherSessions(
  session: MariadbSession,
  signal: AbortSignal,
): Promise<(DatabaseSession & { readonly id: string })[]> {
  const rows = await session.query(
    `SELECT ID, USER, HOST, COMMAND, TIME FROM information_schema.PROCESSLIST
      WHERE DB = ${quoteText(session.database)} AND ID <> CONNECTION_ID() AND COMMAND NOT IN ('Daemon', 'Binlog Dump')
      ORDER BY ID`,
    signal,
  );
  return rows.map(([id, user, host, command, seconds]) => ({
    id: id ?? '',
    application: host ?? '',
    user: user ?? '',
    state: command ?? 'unknown',
    since: seconds === null || seconds === undefined ? null : new Date(Date.now() - Number(seconds) * 1_000),
  }));
}

/** A few of them, for messages. */
export async function describeHolders(
  session: MariadbSession,
  own: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const others = (await otherSessions(session, signal)).filter(({ id }) => !own.includes(id));
  if (others.length === 0) return 'a session that this user may not see';
  const shown = others
    .slice(0, 3)
    .map(({ id, user, application, state }) => `${id} (${user} from ${application}, ${state})`);
  return `${shown.join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}`;
}
