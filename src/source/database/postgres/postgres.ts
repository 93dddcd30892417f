/** PostgreSQL as a {@link Database}. */
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
import { type PostgresAddress, parseAddress } from './address.ts';
import { beginRestore } from './begin-restore.ts';
import { readDescription } from './describe.ts';
import { holdsLargeObjects, LARGE_OBJECTS_COUNT } from './large-objects.ts';
import { onlyList } from './live-table.ts';
import { transactionOutcome } from './outcome.ts';
import { tableLabel } from './quote.ts';
import { statementRefusal } from './refusal.ts';
import { postgresScratch } from './scratch.ts';
import { PostgresSession, type SessionOptions } from './session.ts';
import { PostgresSnapshot } from './snapshot.ts';

/** What may differ from the defaults. */
export interface PostgresOptions {
  /** How long to wait for the server to answer, milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long reading waits for a table that somebody rewrites, milliseconds. Default 10,000. */
  readonly lockTimeoutMs?: number;
}

/**
 * A PostgreSQL database (13 or newer) at `url`. Connects only when asked something.
 * @throws HoldfastError INVALID_INPUT when `url` is no address of a PostgreSQL database.
 */
export function openPostgres(url: string, options: PostgresOptions = {}): Database {
  return new PostgresDatabase(parseAddress(url), {
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 10_000,
  });
}

class PostgresDatabase implements Database {
  readonly kind = 'POSTGRESQL';
  readonly #address: PostgresAddress;
  readonly #options: SessionOptions;
  readonly scratch: ScratchGround;

  constructor(address: PostgresAddress, options: SessionOptions) {
    this.#address = address;
    this.#options = options;
    this.scratch = postgresScratch(address, options, (other) => new PostgresDatabase(other, options));
  }

  async describe(signal: AbortSignal): Promise<DatabaseDescription> {
    return await this.#reading(
      async (session) => (await readDescription(session, signal)).description,
      signal,
    );
  }

  async countRows(tables: readonly TableName[], signal: AbortSignal): Promise<readonly number[]> {
    return await this.#reading(async (session) => {
      const counts: number[] = [];
      for (const table of tables) {
        try {
          const rows = await session.query<{ rows: number }>(
            holdsLargeObjects(table)
              ? LARGE_OBJECTS_COUNT
              : `SELECT pg_catalog.count(*)::float8 AS rows FROM ${onlyList([table])}`,
            [],
            signal,
          );
          counts.push(rows[0]?.rows ?? 0);
        } catch (error) {
          throw statementRefusal(error, { table: tableLabel(table) });
        }
      }
      return counts;
    }, signal);
  }

  async sessions(signal: AbortSignal): Promise<readonly DatabaseSession[]> {
    return await this.#reading(
      (session) =>
        session.query<{ application: string; user: string; state: string; since: Date | null }>(
          `SELECT coalesce(a.application_name, '') AS application, coalesce(a.usename::text, '') AS user,
                  coalesce(a.state, 'unknown') AS state, a.state_change AS since
             FROM pg_catalog.pg_stat_activity a
            WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
              AND a.backend_type = 'client backend'
            ORDER BY a.backend_start NULLS LAST, a.pid`,
          [],
          signal,
        ),
      signal,
    );
  }

  async openSnapshot(signal: AbortSignal): Promise<DatabaseSnapshot> {
    return await PostgresSnapshot.open(await this.#connect(signal), signal);
  }

  async beginRestore(request: DatabaseRestoreRequest, signal: AbortSignal): Promise<DatabaseRestore> {
    return await beginRestore(await this.#connect(signal), request, signal);
  }

  async outcome(ticket: RestoreTicket, signal: AbortSignal): Promise<'COMMITTED' | 'ROLLED_BACK'> {
    const session = await this.#connect(signal);
    try {
      return await transactionOutcome(session, ticket, signal);
    } catch (error) {
      throw statementRefusal(error);
    } finally {
      await session.end();
    }
  }

  /** An open transaction is all there ever was, and it ended with its connection. */
  async sweep(): Promise<void> {}

  /** PostgreSQL remembers the fate of transactions by itself: nothing is left behind. */
  async forget(): Promise<void> {}

  #connect(signal: AbortSignal): Promise<PostgresSession> {
    return PostgresSession.open(this.#address, this.#options, signal);
  }

  /** Runs `work` on a connection of its own, in one read-only view of the database. */
  async #reading<T>(work: (session: PostgresSession) => Promise<T>, signal: AbortSignal): Promise<T> {
    const session = await this.#connect(signal);
    try {
      await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', signal);
      return await work(session);
    } catch (error) {
      throw statementRefusal(error);
    } finally {
      await session.end();
    }
  }
}
