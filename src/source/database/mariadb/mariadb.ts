/** MariaDB and MySQL as a {@link Database}. */
import type {
  Database,
  DatabaseDescription,
  DatabaseRestore,
  DatabaseRestoreRequest,
  DatabaseSession,
  DatabaseSnapshot,
  RestoreTicket,
  ScratchGround,
  TableName,
} from '../../source.ts';
import { type MariadbAddress, parseAddress } from './address.ts';
import { beginRestore } from './begin-restore.ts';
import { countRows, readDescription } from './describe.ts';
import { otherSessions } from './lock-holders.ts';
import { tableLabel } from './names.ts';
import { forgetRestore, restoreOutcome, sweepRestore } from './outcome.ts';
import { statementRefusal } from './refusal.ts';
import { mariadbScratch } from './scratch.ts';
import { MariadbSession, type SessionOptions } from './session.ts';
import { MariadbSnapshot } from './snapshot.ts';

/** What may differ from the defaults. */
export interface MariadbOptions {
  /** How long to wait for the server to answer, milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long reading waits for a table that somebody alters, milliseconds. Default 10,000. */
  readonly lockTimeoutMs?: number;
}

/**
 * A database of a MariaDB (10.6 or newer) or MySQL (8.0 or newer) server at `url`. Connects only when asked
 * something. MySQL is served by the same code and has not been tried.
 * @throws HoldfastError INVALID_INPUT when `url` is no address of such a database.
 */
export function openMariadb(url: string, options: MariadbOptions = {}): Database {
  return new MariadbDatabase(parseAddress(url), {
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 10_000,
  });
}

class MariadbDatabase implements Database {
  readonly kind = 'MARIADB';
  readonly #address: MariadbAddress;
  readonly #options: SessionOptions;
  readonly scratch: ScratchGround;

  constructor(address: MariadbAddress, options: SessionOptions) {
    this.#address = address;
    this.#options = options;
    this.scratch = mariadbScratch(address, options, (other) => new MariadbDatabase(other, options));
  }

  async describe(signal: AbortSignal): Promise<DatabaseDescription> {
    return await this.#with(async (session) => (await readDescription(session, signal)).description, signal);
  }

  async countRows(tables: readonly TableName[], signal: AbortSignal): Promise<readonly number[]> {
    return await this.#with(async (session) => {
      await session.execute('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', signal);
      const counts: number[] = [];
      for (const table of tables) {
        try {
          counts.push(await countRows(session, table.name, signal));
        } catch (error) {
          throw statementRefusal(error, { table: tableLabel(table) });
        }
      }
      return counts;
    }, signal);
  }

  async sessions(signal: AbortSignal): Promise<readonly DatabaseSession[]> {
    return await this.#with(
      async (session) => (await otherSessions(session, signal)).map(({ id: _, ...other }) => other),
      signal,
    );
  }

  async openSnapshot(signal: AbortSignal): Promise<DatabaseSnapshot> {
    return await MariadbSnapshot.open(await this.#connect(signal), signal);
  }

  async beginRestore(request: DatabaseRestoreRequest, signal: AbortSignal): Promise<DatabaseRestore> {
    const options = { ...this.#options, lockTimeoutMs: request.lockTimeoutMs };
    const worker = await MariadbSession.open(this.#address, options, signal);
    let locker: MariadbSession;
    try {
      locker = await MariadbSession.open(this.#address, options, signal);
    } catch (error) {
      await worker.end();
      throw error;
    }
    return await beginRestore(worker, locker, request, signal);
  }

  async outcome(ticket: RestoreTicket, signal: AbortSignal): Promise<'COMMITTED' | 'ROLLED_BACK'> {
    return await this.#with((session) => restoreOutcome(session, ticket, signal), signal);
  }

  async sweep(restoreId: string, signal: AbortSignal): Promise<void> {
    await this.#with((session) => sweepRestore(session, restoreId, signal), signal);
  }

  async forget(ticket: RestoreTicket, signal: AbortSignal): Promise<void> {
    await this.#with((session) => forgetRestore(session, ticket, signal), signal);
  }

  #connect(signal: AbortSignal): Promise<MariadbSession> {
    return MariadbSession.open(this.#address, this.#options, signal);
  }

  /** Runs `work` on a connection of its own. */
  async #with<T>(work: (session: MariadbSession) => Promise<T>, signal: AbortSignal): Promise<T> {
    const session = await this.#connect(signal);
    try {
      return await work(session);
    } catch (error) {
      throw statementRefusal(error);
    } finally {
      await session.end();
    }
  }
}
