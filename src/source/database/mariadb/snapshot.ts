/** One consistent view of a MariaDB or MySQL database. */
import { HoldfastError } from '../../../errors.ts';
import type { SchemaScript } from '../../schema-script.ts';
import type { DatabaseDescription, DatabaseSnapshot, SequenceState, Table, TableName } from '../../source.ts';
import { carriedColumns, type Found, readDescription, tableNames } from './describe.ts';
import { exportRows } from './export-rows.ts';
import { quoteName, quoteTable, tableKey, tableLabel } from './names.ts';
import { readSchema } from './read-schema.ts';
import { serverErrorNumber, statementRefusal } from './refusal.ts';
import { readSequences } from './sequences.ts';
import type { MariadbSession } from './session.ts';

/** How often to begin anew when tables come and go while the snapshot is opened. */
const ATTEMPTS = 5;

/** A snapshot held open by one session in a read-only transaction, which keeps the tables from being altered. */
export class MariadbSnapshot implements DatabaseSnapshot {
  readonly description: DatabaseDescription;
  readonly instant: Date;
  readonly #session: MariadbSession;
  readonly #found: Found;

  private constructor(session: MariadbSession, instant: Date, found: Found) {
    this.#session = session;
    this.instant = instant;
    this.#found = found;
    this.description = found.description;
  }

  /** Takes over `session`, and ends it when the snapshot cannot be had. */
  static async open(session: MariadbSession, signal: AbortSignal): Promise<MariadbSnapshot> {
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await session.execute('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', signal);
          const instant = new Date();
          const names = await tableNames(session, signal);
          await holdTables(session, names, signal);
          const found = await readDescription(session, signal);
          const held = new Set(names);
          const grown = found.description.tables.some((table) => !held.has(table.name));
          if (!grown) return new MariadbSnapshot(session, instant, found);
          if (attempt === ATTEMPTS) throw unsettled();
        } catch (error) {
          // 1412: altered since the snapshot was taken; 1146: dropped.
          const number = serverErrorNumber(error);
          if ((number !== 1412 && number !== 1146) || attempt === ATTEMPTS) throw error;
        }
        await session.execute('ROLLBACK', signal);
      }
    } catch (error) {
      await session.end();
      throw statementRefusal(error);
    }
  }

  async *readRows(table: Table, signal: AbortSignal): AsyncGenerator<Buffer> {
    const live = this.#found.tables.get(tableKey(table));
    const label = tableLabel(table);
    if (live === undefined) {
      throw new HoldfastError('SCHEMA_MISMATCH', `Table ${label} is not in the database any more.`, {
        hint: 'It was dropped or renamed; exclude it from the source, or run the backup again.',
      });
    }
    try {
      yield* exportRows(this.#session, quoteTable(table), label, carriedColumns(live), signal);
    } catch (error) {
      throw statementRefusal(error, { table: label });
    }
  }

  async readSequences(tables: readonly TableName[], signal: AbortSignal): Promise<readonly SequenceState[]> {
    try {
      return await readSequences(this.#session, this.#found, tables, signal);
    } catch (error) {
      throw statementRefusal(error);
    }
  }

  async readSchema(signal: AbortSignal): Promise<SchemaScript> {
    try {
      return await readSchema(this.#session, signal);
    } catch (error) {
      throw statementRefusal(error);
    }
  }

  async close(): Promise<void> {
    await this.#session.end();
  }
}

/** Reading a row takes the lock that keeps a table from being altered until the transaction ends. */
async function holdTables(
  session: MariadbSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const name of names) {
    try {
      await session.query(`SELECT 1 FROM ${quoteName(name)} LIMIT 1`, signal);
    } catch (error) {
      const number = serverErrorNumber(error);
      if (number !== 1142 && number !== 1143) throw error;
    }
  }
}

function unsettled(): HoldfastError {
  return new HoldfastError('SOURCE_BUSY', 'Tables come and go too fast for a snapshot to be taken.', {
    hint: 'Try again when the migration or import that creates them has finished.',
  });
}
