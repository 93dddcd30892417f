/** What a script needs that a restore cannot give: extensions and rights of a superuser. Asked before anything is done. */
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaScript } from '../../../schema-script.ts';
import type { PostgresSession } from '../session.ts';

const EXTENSIONS = `
SELECT wanted.name, EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted.name) AS available,
       EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v
                JOIN pg_catalog.pg_available_extensions a ON a.name = v.name AND a.default_version = v.version
                WHERE v.name = wanted.name AND (NOT v.superuser
                  OR (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
                  OR (coalesce((pg_catalog.to_jsonb(v) ->> 'trusted')::boolean, false)
                      AND pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')))) AS allowed
  FROM pg_catalog.unnest($1::text[]) AS wanted(name)
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = wanted.name)
 ORDER BY wanted.name`;

/**
 * Refuses a script that cannot be run here.
 * @throws HoldfastError INVALID_INPUT naming the extensions or event triggers, with what a superuser can do.
 */
export async function checkRequirements(
  session: PostgresSession,
  script: SchemaScript,
  signal: AbortSignal,
): Promise<void> {
  const labels = [...script.before, ...script.after].map((statement) => statement.object);
  const named = (kind: string): string[] =>
    labels.filter((label) => label.startsWith(kind)).map((label) => label.slice(kind.length));
  const missing = await session.query<{ name: string; available: boolean; allowed: boolean }>(
    EXTENSIONS,
    [[...new Set(named('EXTENSION '))]],
    signal,
  );
  const absent = missing.filter((row) => !row.available).map((row) => row.name);
  if (absent.length > 0) {
    throw new HoldfastError('INVALID_INPUT', `This server does not offer ${list(absent)}.`, {
      hint: 'Install the packages of the extensions on the server of the database, then restore again.',
    });
  }
  const forbidden = missing.filter((row) => !row.allowed).map((row) => row.name);
  if (forbidden.length > 0) {
    throw new HoldfastError(
      'INVALID_INPUT',
      `The user of the source may not create ${list(forbidden)}: that takes a superuser.`,
      {
        hint: `As a superuser, in this database: ${forbidden.map((name) => `CREATE EXTENSION "${name}";`).join(' ')} Then restore again.`,
      },
    );
  }
  const eventTriggers = named('EVENT TRIGGER ');
  if (eventTriggers.length === 0) return;
  const [me] = await session.query<{ superuser: boolean }>(
    'SELECT rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = current_user',
    [],
    signal,
  );
  if (me?.superuser === true) return;
  throw new HoldfastError(
    'INVALID_INPUT',
    `The backup holds event triggers (${eventTriggers.join(', ')}), which only a superuser can make.`,
    { hint: 'Restore as a superuser.' },
  );
}

function list(names: readonly string[]): string {
  return `the extension${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}
