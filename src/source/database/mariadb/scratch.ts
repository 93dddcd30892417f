/** Scratch databases of MariaDB: CREATE DATABASE with the character set and collation of another. */
import { HoldfastError } from '../../../errors.ts';
import type { Database, ScratchGround, TextSettings } from '../../source.ts';
import { checkScratchName } from '../scratch-name.ts';
import type { MariadbAddress } from './address.ts';
import { quoteName } from './names.ts';
import { serverErrorNumber, statementRefusal } from './refusal.ts';
import { MariadbSession, type SessionOptions } from './session.ts';

const NEVER = new AbortController().signal;
/** Character sets and collations have names of this form; they are no identifiers that could be quoted. */
const PLAIN_NAME = /^[0-9a-z_]+$/i;
const DATABASE_EXISTS = 1007;
const DENIED = [1044, 1045, 1227];
const UNKNOWN_TEXT = [1115, 1273, 1253];

/** @param openAt opens the database of an address */
export function mariadbScratch(
  address: MariadbAddress,
  options: SessionOptions,
  openAt: (address: MariadbAddress) => Database,
): ScratchGround {
  async function connected<T>(
    work: (session: MariadbSession) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const session = await MariadbSession.open(address, options, signal);
    try {
      return await work(session);
    } catch (error) {
      throw DENIED.includes(serverErrorNumber(error) ?? 0)
        ? mayNot(address, error)
        : statementRefusal(error, { restoring: true });
    } finally {
      await session.end();
    }
  }

  return {
    // What a user may do with databases that are not there yet only shows when one is made.
    check: (signal) => connected(async () => undefined, signal),
    textSettings: (signal) => connected((session) => readTextSettings(session, signal), signal),
    create: async (name, like, signal) => {
      checkScratchName(name);
      const told: string[] = [];
      await connected((session) => createDatabase(session, name, like, told), signal);
      return { database: openAt({ ...address, database: name }), warnings: told };
    },
    drop: async (name, signal) => {
      checkScratchName(name);
      await connected(async (session) => {
        await session.execute(`DROP DATABASE IF EXISTS ${quoteName(name)}`, signal);
      }, signal);
    },
  };
}

function mayNot({ user }: MariadbAddress, cause: unknown): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `The user ${user} may not make databases on this server.`, {
    hint: 'A drill needs that: GRANT ALL ON `holdfast\\_drill\\_%`.* TO the user, or give drills a server of their own.',
    cause,
  });
}

async function readTextSettings(session: MariadbSession, signal: AbortSignal): Promise<TextSettings> {
  const [row] = await session.query('SELECT @@character_set_database, @@collation_database', signal);
  const [characterSet, collation] = row ?? [];
  return {
    ...(typeof characterSet === 'string' && { 'CHARACTER SET': characterSet }),
    ...(typeof collation === 'string' && { COLLATE: collation }),
  };
}

async function createDatabase(
  session: MariadbSession,
  name: string,
  like: TextSettings | undefined,
  told: string[],
): Promise<void> {
  const clauses = (['CHARACTER SET', 'COLLATE'] as const).flatMap((clause) => {
    const value = like?.[clause];
    return value !== undefined && PLAIN_NAME.test(value) ? [`${clause} ${value}`] : [];
  });
  // Told to stop in the middle of CREATE DATABASE, nobody would know whether it is there.
  const create = (settings: string): Promise<unknown> =>
    session.execute(`CREATE DATABASE ${quoteName(name)} ${settings}`, NEVER);
  try {
    await create(clauses.join(' '));
  } catch (error) {
    const number = serverErrorNumber(error) ?? 0;
    if (number === DATABASE_EXISTS) {
      throw new HoldfastError('INVALID_INPUT', `There is a database ${name} already.`, { cause: error });
    }
    if (!UNKNOWN_TEXT.includes(number)) throw error;
    await create('CHARACTER SET utf8mb4');
    told.push(
      `The server of the drill does not know the collation ${like?.['COLLATE'] ?? ''}: the scratch database has the server's own.`,
    );
  }
}
