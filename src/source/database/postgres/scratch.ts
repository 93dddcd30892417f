/** Scratch databases of PostgreSQL: CREATE DATABASE from template0, with the encoding and locale of another. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { Database, ScratchGround, TextSettings } from '../../source.ts';
import { checkScratchName } from '../scratch-name.ts';
import type { PostgresAddress } from './address.ts';
import { quoteName, quoteText } from './quote.ts';
import { statementRefusal } from './refusal.ts';
import { PostgresSession, type SessionOptions } from './session.ts';

const NEVER = new AbortController().signal;
/** What a server answers that does not know a locale, its provider, or a clause: SQLSTATE. */
const UNKNOWN_LOCALE = new Set(['22023', '42809', '42704', '42601', '42602', '0A000']);

/** The columns of pg_database that say how text is sorted; which there are depends on the version. */
interface LocaleColumns {
  readonly datcollate: string;
  readonly datctype: string;
  /** `c` libc, `i` ICU, `b` builtin; since 15. */
  readonly datlocprovider?: string;
  readonly daticulocale?: string | null;
  readonly datlocale?: string | null;
  readonly daticurules?: string | null;
}

/** @param openAt opens the database of an address */
export function postgresScratch(
  address: PostgresAddress,
  options: SessionOptions,
  openAt: (address: PostgresAddress) => Database,
): ScratchGround {
  async function connected<T>(
    work: (session: PostgresSession) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const session = await PostgresSession.open(address, options, signal);
    try {
      return await work(session);
    } catch (error) {
      throw statementRefusal(error);
    } finally {
      await session.end();
    }
  }

  async function drop(name: string, signal: AbortSignal): Promise<void> {
    checkScratchName(name);
    const sql = `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`;
    await connected((session) => session.execute(sql, signal), signal);
  }

  return {
    check: (signal) => connected((session) => checkPrivilege(session, address, signal), signal),
    textSettings: (signal) => connected((session) => readTextSettings(session, signal), signal),
    create: async (name, like, signal) => {
      checkScratchName(name);
      const told: string[] = [];
      await connected(async (session) => {
        await checkPrivilege(session, address, signal);
        await createDatabase(session, name, like, told);
        // Other users of the server are not to read what is restored.
        await session
          .execute(`REVOKE ALL ON DATABASE ${quoteName(name)} FROM PUBLIC`, signal)
          .catch(async (error: unknown) => {
            await drop(name, NEVER);
            throw error;
          });
      }, signal);
      return { database: openAt({ ...address, database: name }), warnings: told };
    },
    drop,
  };
}

async function checkPrivilege(
  session: PostgresSession,
  { user }: PostgresAddress,
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.query<{ may: boolean }>(
    'SELECT r.rolcreatedb OR r.rolsuper AS may FROM pg_catalog.pg_roles r WHERE r.rolname = current_user',
    [],
    signal,
  );
  if (row?.may === true) return;
  throw new HoldfastError('INVALID_INPUT', `The user ${user} may not make databases on this server.`, {
    hint: `A drill needs that: ALTER ROLE ${quoteName(user)} CREATEDB, or give drills a server of their own.`,
  });
}

async function readTextSettings(session: PostgresSession, signal: AbortSignal): Promise<TextSettings> {
  const [row] = await session.query<{ encoding: string; columns: LocaleColumns }>(
    `SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding, pg_catalog.to_jsonb(d) AS columns
       FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`,
    [],
    signal,
  );
  if (row === undefined) return {};
  const { columns } = row;
  const locale = columns.datlocale ?? columns.daticulocale;
  return {
    ENCODING: row.encoding,
    LC_COLLATE: columns.datcollate,
    LC_CTYPE: columns.datctype,
    ...(columns.datlocprovider === 'i' && { LOCALE_PROVIDER: 'icu' }),
    ...(columns.datlocprovider === 'b' && { LOCALE_PROVIDER: 'builtin' }),
    ...(columns.datlocprovider === 'i' && typeof locale === 'string' && { ICU_LOCALE: locale }),
    ...(columns.datlocprovider === 'b' && typeof locale === 'string' && { BUILTIN_LOCALE: locale }),
    ...(typeof columns.daticurules === 'string' && { ICU_RULES: columns.daticurules }),
  };
}

/** The settings that CREATE DATABASE is given; what else somebody may have put into `like` is not. */
const CLAUSES = [
  'ENCODING',
  'LC_COLLATE',
  'LC_CTYPE',
  'LOCALE_PROVIDER',
  'ICU_LOCALE',
  'BUILTIN_LOCALE',
  'ICU_RULES',
] as const;

async function createDatabase(
  session: PostgresSession,
  name: string,
  like: TextSettings | undefined,
  told: string[],
): Promise<void> {
  const clauses = CLAUSES.flatMap((clause) => {
    const value = like?.[clause];
    return value === undefined ? [] : [`${clause} ${quoteText(value)}`];
  });
  // Told to stop in the middle of CREATE DATABASE, nobody would know whether it is there.
  const create = (settings: string): Promise<string> =>
    session.execute(`CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ${settings}`, NEVER);
  try {
    await create(clauses.join(' '));
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '42P04') {
      throw new HoldfastError('INVALID_INPUT', `There is a database ${name} already.`, { cause: error });
    }
    const unknown = error instanceof DatabaseError && UNKNOWN_LOCALE.has(error.code ?? '');
    if (clauses.length === 0 || !unknown) throw error;
    const encoding = like?.['ENCODING'] ?? 'UTF8';
    await create(`ENCODING ${quoteText(encoding)} LC_COLLATE 'C' LC_CTYPE 'C'`);
    told.push(
      `The server of the drill does not know the locale ${like?.['LC_COLLATE'] ?? ''}: the scratch database sorts text by code point.`,
    );
  }
}
