/** One transaction that replaces tables of a PostgreSQL database. */
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestore, RestoreTicket, SequenceState, TableToRestore } from '../../source.ts';
import { toCopyText } from './copy-text.ts';
import { exportStatement } from './export-statement.ts';
import { dropKeys, restoreKeys } from './foreign-keys.ts';
import { holdsLargeObjects, LARGE_OBJECTS_EXPORT, loadLargeObjects } from './large-objects.ts';
import { type LiveTable, onlyList } from './live-table.ts';
import { refreshMaterializedViews } from './materialized-views.ts';
import { peek } from './peek.ts';
import { quoteName, quoteTable, tableKey, tableLabel } from './quote.ts';
import { isConnectionLoss, statementRefusal } from './refusal.ts';
import { findGround, type RestoreGround } from './restore-ground.ts';
import type { SchemaApplication } from './schema/apply-schema.ts';
import { setSequences } from './sequences.ts';
import type { PostgresSession } from './session.ts';
import {
  allowSortingMemory,
  dropIndexes,
  rebuildableIndexes,
  restoreIndexes,
  type SetAsideIndex,
} from './set-aside-indexes.ts';
import { restoreForcedRowSecurity, restoreTriggers, type Silenced, silence } from './silence.ts';
import {
  dropUnvalidated,
  restoreUnvalidated,
  type UnvalidatedConstraint,
} from './unvalidated-constraints.ts';

/** Tables with no more bytes of row lines than this keep their indexes: dropping and making them costs more. */
const FEW_ROWS_BYTES = 256 * 1024;

const NEVER = new AbortController().signal;

/** Made by `beginRestore`, with the transaction open and everything locked that will be changed. */
export class PostgresRestore implements DatabaseRestore {
  /** One transaction has one connection. */
  readonly concurrentLoads = 1;
  readonly #session: PostgresSession;
  readonly #schema: SchemaApplication | undefined;
  #ground: RestoreGround;
  #oids: readonly string[];
  #rebuildable: ReadonlyMap<string, readonly SetAsideIndex[]> = new Map();
  readonly #setAside: SetAsideIndex[] = [];
  #unvalidated: readonly UnvalidatedConstraint[] = [];
  #silenced: Silenced = { triggers: [], forcedRowSecurity: [] };
  #rowSecurityOutstanding = false;
  #done = false;

  /** With `schema` the ground is found once its first half has run. */
  constructor(session: PostgresSession, ground: RestoreGround, schema?: SchemaApplication) {
    this.#session = session;
    this.#schema = schema;
    this.#ground = ground;
    this.#oids = [...ground.tables.values()].map((live) => live.oid);
  }

  async clear(signal: AbortSignal): Promise<void> {
    // Large objects are replaced as they are loaded: what is not among them goes.
    const tables = this.#ground.request.tables.filter((table) => !holdsLargeObjects(table));
    await this.#telling(async () => {
      if (this.#schema !== undefined) {
        await this.#schema.before(signal);
        this.#ground = await findGround(this.#session, this.#ground.request, signal);
        this.#oids = [...this.#ground.tables.values()].map((live) => live.oid);
      }
      if (tables.length === 0) return;
      await dropKeys(this.#session, this.#ground.keys, signal);
      // Tables that are as the backup's keep what they have, also while a structure is put back around them.
      this.#unvalidated = await dropUnvalidated(this.#session, this.#oids, signal);
      this.#rebuildable = await rebuildableIndexes(this.#session, this.#oids, signal);
      this.#silenced = await silence(this.#session, this.#oids, signal);
      this.#rowSecurityOutstanding = this.#silenced.forcedRowSecurity.length > 0;
      await this.#session.execute(`TRUNCATE TABLE ${onlyList([...tables].reverse())}`, signal);
    });
  }

  async load(table: TableToRestore, rows: AsyncIterable<Buffer>, signal: AbortSignal): Promise<number> {
    const label = tableLabel(table);
    if (holdsLargeObjects(table)) {
      return await this.#telling(() => loadLargeObjects(this.#session, rows, signal), label);
    }
    const { oid } = this.#live(table);
    const cleared = this.#ground.request.clearedColumns
      .filter((entry) => tableKey(entry.table) === tableKey(table))
      .flatMap((entry) => entry.columns);
    const columns = table.columns.length === 0 ? '' : `(${table.columns.map(quoteName).join(', ')}) `;
    const peeked = await peek(rows, FEW_ROWS_BYTES);
    const text = toCopyText(peeked.all, { table: label, columns: table.columns, cleared: new Set(cleared) });
    try {
      return await this.#telling(async () => {
        if (peeked.more) await this.#setIndexesAside(oid, signal);
        await this.#useSearchPath('DEFAULT', signal);
        return await this.#session.copyIn(
          // Emptied or made in this transaction: rows may be written frozen, which saves the server a second pass.
          `COPY ${quoteTable(table)} ${columns}FROM STDIN (FORMAT text, FREEZE, ENCODING 'UTF8')`,
          text,
          signal,
        );
      }, label);
    } finally {
      await peeked.close();
    }
  }

  async finish(sequences: readonly SequenceState[], signal: AbortSignal): Promise<void> {
    await this.#telling(async () => {
      // Whatever was put off to COMMIT is checked now: ALTER TABLE refuses tables with checks outstanding.
      await this.#session.execute('SET CONSTRAINTS ALL IMMEDIATE', signal);
      await setSequences(this.#session, sequences, signal);
      await allowSortingMemory(this.#session, signal);
      await restoreIndexes(this.#session, this.#setAside, signal);
      await restoreUnvalidated(this.#session, this.#unvalidated, signal);
      await restoreKeys(this.#session, this.#ground.keys, signal);
      await restoreTriggers(this.#session, this.#silenced, signal);
      await this.#useSearchPath('DEFAULT', signal);
      await refreshMaterializedViews(this.#session, this.#oids, signal);
      await this.#schema?.after(signal);
    });
  }

  async *readRows(table: TableToRestore, signal: AbortSignal): AsyncGenerator<Buffer> {
    const statement = holdsLargeObjects(table)
      ? LARGE_OBJECTS_EXPORT
      : exportStatement(this.#live(table), table.columns);
    try {
      await this.#useSearchPath("''", signal);
      yield* this.#session.copyOut(statement, signal);
    } catch (error) {
      throw statementRefusal(error, { table: tableLabel(table) });
    }
  }

  async ticket(): Promise<RestoreTicket> {
    return await this.#telling(async () => {
      await this.#bringBackRowSecurity();
      const rows = await this.#session.query<{ xid: string }>(
        'SELECT pg_catalog.pg_current_xact_id()::text AS xid',
        [],
        NEVER,
      );
      return {
        xid: rows[0]?.xid ?? null,
        pid: this.#session.pid,
        backendStart: this.#session.backendStart,
        system: await systemIdentifier(this.#session),
      };
    });
  }

  async commit(): Promise<void> {
    let tag: string;
    try {
      await this.#bringBackRowSecurity();
      tag = await this.#session.execute('COMMIT', NEVER);
    } catch (error) {
      if (this.#session.lost || isConnectionLoss(error)) {
        throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection broke during COMMIT.', {
          hint: 'Whether the restore took effect is found out as soon as the server answers again.',
          cause: error,
        });
      }
      throw statementRefusal(error);
    }
    // COMMIT of a transaction that has failed is answered with ROLLBACK, which is no error to pg.
    if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`);
    this.#done = true;
    await this.#session.end();
  }

  async rollback(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    await this.#session.end();
  }

  #live(table: TableToRestore): LiveTable {
    const live = this.#ground.tables.get(tableKey(table));
    if (live === undefined) throw new Error(`${tableLabel(table)} is not part of this restore`);
    return live;
  }

  async #setIndexesAside(oid: string, signal: AbortSignal): Promise<void> {
    const indexes = this.#rebuildable.get(oid) ?? [];
    await dropIndexes(this.#session, indexes, signal);
    this.#setAside.push(...indexes);
  }

  /**
   * Functions that the tables' own rules call (checks, generated columns, domains) find their names as they do in
   * the application; when rows are read back the path is empty as in a snapshot, so that the text is the same.
   */
  async #useSearchPath(path: 'DEFAULT' | "''", signal: AbortSignal): Promise<void> {
    await this.#session.execute(`SET LOCAL search_path TO ${path}`, signal);
  }

  /** Late, since a table whose row security is forced cannot be read back by its owner. */
  async #bringBackRowSecurity(): Promise<void> {
    await this.#schema?.late(NEVER);
    if (!this.#rowSecurityOutstanding) return;
    this.#rowSecurityOutstanding = false;
    await restoreForcedRowSecurity(this.#session, this.#silenced, NEVER);
  }

  async #telling<T>(work: () => Promise<T>, table?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw statementRefusal(error, { restoring: true, ...(table === undefined ? {} : { table }) });
    }
  }
}

/** Tells one cluster from another; null where this user may not ask. */
export async function systemIdentifier(session: PostgresSession): Promise<string | null> {
  const [allowed] = await session.query<{ allowed: boolean }>(
    `SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS allowed`,
    [],
    NEVER,
  );
  if (allowed?.allowed !== true) return null;
  const rows = await session.query<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_catalog.pg_control_system()',
    [],
    NEVER,
  );
  return rows[0]?.id ?? null;
}
