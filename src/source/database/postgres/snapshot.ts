/** One consistent view of a PostgreSQL database. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { SchemaScript } from '../../schema-script.ts';
import type { DatabaseDescription, DatabaseSnapshot, SequenceState, Table, TableName } from '../../source.ts';
import { LOST_ON_STANDBY } from './catalog-queries.ts';
import { type LiveTables, readDescription } from './describe.ts';
import { exportStatement } from './export-statement.ts';
import { holdsLargeObjects, LARGE_OBJECTS_EXPORT } from './large-objects.ts';
import { carriedColumns, onlyList } from './live-table.ts';
import { lockHolders } from './lock-holders.ts';
import { quoteTable, tableKey, tableLabel } from './quote.ts';
import { statementRefusal } from './refusal.ts';
import { readSchemaScript } from './schema/read-schema.ts';
import { readSequenceStates } from './sequences.ts';
import type { PostgresSession } from './session.ts';
import { namingTooLargeValue } from './too-large-value.ts';

/** How often to begin anew when tables come and go while the snapshot is opened. */
const ATTEMPTS = 5;

const READABLE_TABLES = `
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT (${LOST_ON_STANDBY})
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
 ORDER BY c.oid`;

/** A snapshot held open by one session in a read-only transaction, with ACCESS SHARE locks on the tables. */
export class PostgresSnapshot implements DatabaseSnapshot {
  readonly description: DatabaseDescription;
  readonly instant: Date;
  readonly #session: PostgresSession;
  readonly #tables: LiveTables;

  private constructor(
    session: PostgresSession,
    instant: Date,
    description: DatabaseDescription,
    tables: LiveTables,
  ) {
    this.#session = session;
    this.instant = instant;
    this.description = description;
    this.#tables = tables;
  }

  /**
   * Takes over `session`, and ends it when the snapshot cannot be had.
   *
   * The tables are locked first and the snapshot is taken under the locks: a TRUNCATE or a rewriting ALTER that
   * commits between the two would show old snapshots an empty table. LOCK as the first statement of a
   * REPEATABLE READ transaction takes no snapshot yet.
   */
  static async open(session: PostgresSession, signal: AbortSignal): Promise<PostgresSnapshot> {
    let locking: readonly TableName[] = [];
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          locking = await session.query<{ schema: string; name: string }>(READABLE_TABLES, [], signal);
          await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', signal);
          if (locking.length > 0) {
            await session.execute(`LOCK TABLE ${onlyList(locking)} IN ACCESS SHARE MODE`, signal);
          }
          await session.query('SELECT 1', [], signal);
          const instant = new Date();
          const { description, tables } = await readDescription(session, signal);
          const locked = new Set(locking.map(tableKey));
          const grown = [...tables].some(([key, live]) => live.readable && !locked.has(key));
          if (!grown) return new PostgresSnapshot(session, instant, description, tables);
          if (attempt === ATTEMPTS) throw unsettled();
        } catch (error) {
          if (!isMissingTable(error) || attempt === ATTEMPTS) throw error;
        }
        await session.execute('ROLLBACK', signal);
      }
    } catch (error) {
      const told = await busyWithHolders(session, error, locking, signal);
      await session.end();
      throw told;
    }
  }

  async *readRows(table: Table, signal: AbortSignal): AsyncGenerator<Buffer> {
    const statement = holdsLargeObjects(table) ? LARGE_OBJECTS_EXPORT : this.#exportOf(table);
    try {
      yield* this.#session.copyOut(statement, signal);
    } catch (error) {
      const told = await namingTooLargeValue(this.#session, error, this.#tables.get(tableKey(table)), signal);
      throw statementRefusal(told, { table: tableLabel(table) });
    }
  }

  #exportOf(table: Table): string {
    const live = this.#tables.get(tableKey(table));
    if (live === undefined) {
      throw new HoldfastError(
        'SCHEMA_MISMATCH',
        `Table ${tableLabel(table)} is not in the database any more.`,
        {
          hint: 'It was dropped or renamed; exclude it from the source, or run the backup again.',
        },
      );
    }
    return exportStatement(live, carriedColumns(live));
  }

  async readSequences(tables: readonly TableName[], signal: AbortSignal): Promise<readonly SequenceState[]> {
    try {
      const owners = tables.flatMap((table) => this.#tables.get(tableKey(table))?.oid ?? []);
      return await readSequenceStates(this.#session, owners, signal);
    } catch (error) {
      throw statementRefusal(error);
    }
  }

  async readSchema(signal: AbortSignal): Promise<SchemaScript> {
    try {
      return await readSchemaScript(this.#session, signal);
    } catch (error) {
      throw statementRefusal(error);
    }
  }

  async close(): Promise<void> {
    await this.#session.end();
  }
}

function unsettled(): HoldfastError {
  return new HoldfastError('SOURCE_BUSY', 'Tables come and go too fast for a snapshot to be taken.', {
    hint: 'Try again when the migration or import that creates them has finished.',
  });
}

function isMissingTable(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '42P01' || error.code === '3F000');
}

/** The error to tell; for a lock that was not to be had, with whoever holds it. */
async function busyWithHolders(
  session: PostgresSession,
  error: unknown,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof DatabaseError) || error.code !== '55P03') return statementRefusal(error);
  try {
    await session.execute('ROLLBACK', signal);
    const holders = await lockHolders(session, tables.map(quoteTable), 'ACCESS EXCLUSIVE ONLY', signal);
    return new HoldfastError('SOURCE_BUSY', `Another session keeps tables locked: ${holders}.`, {
      hint: 'Try again when its migration or maintenance has finished.',
      cause: error,
    });
  } catch {
    return statementRefusal(error);
  }
}
