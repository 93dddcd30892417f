/** What every connection begins with: settings that nobody may have changed, and who is at the other end. */
import { HoldfastError } from '../../../errors.ts';
import { PINNED_SETTINGS } from './pinned-settings.ts';
import type { PostgresSession } from './session.ts';

/** The oldest major version whose catalog is understood. */
const OLDEST_VERSION = 13;

/** The server process and database of a connection. */
export interface Identity {
  pid: number;
  /** Microseconds, UTC. */
  backendStart: string;
  /** E.g. 160004. */
  versionNumber: number;
  /** E.g. `16.4`. */
  version: string;
  database: string;
}

/**
 * Pins the settings of a new connection; statements wait for locks `lockTimeoutMs`.
 * @throws HoldfastError SOURCE_UNREACHABLE when the server is too old.
 */
export async function pinSession(
  session: PostgresSession,
  lockTimeoutMs: number,
  signal: AbortSignal,
): Promise<Identity> {
  const settings = { ...PINNED_SETTINGS, lock_timeout: String(lockTimeoutMs) };
  // Joined with pg_settings, since not every version knows every setting, and not every user may set each.
  await session.query(
    `SELECT pg_catalog.set_config(s.name, v.value, false)
       FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS v(name, value)
       JOIN pg_catalog.pg_settings s ON s.name = v.name
      WHERE s.context <> 'superuser'
         OR (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)`,
    [Object.keys(settings), Object.values(settings)],
    signal,
  );
  const [identity] = await session.query<Identity>(
    `SELECT pg_catalog.pg_backend_pid() AS pid, a.backend_start::text AS "backendStart",
            pg_catalog.current_setting('server_version_num')::int4 AS "versionNumber",
            pg_catalog.current_setting('server_version') AS version,
            pg_catalog.current_database()::text AS database
       FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()`,
    [],
    signal,
  );
  if (identity === undefined)
    throw new HoldfastError('SOURCE_UNREACHABLE', 'PostgreSQL does not show this session.');
  if (identity.versionNumber < OLDEST_VERSION * 10_000) {
    throw new HoldfastError(
      'SOURCE_UNREACHABLE',
      `PostgreSQL ${identity.version} is too old; ${OLDEST_VERSION} is the oldest that is supported.`,
      { hint: 'Upgrade the server.' },
    );
  }
  return identity;
}
