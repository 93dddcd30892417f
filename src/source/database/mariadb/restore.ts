/** Replaces tables: new ones are filled beside the old, then one RENAME puts all of them in their places. */
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestore, RestoreTicket, SequenceState, TableToRestore } from '../../source.ts';
import type { LiveColumn } from './column-values.ts';
import { renameCreateTable } from './create-statement.ts';
import { readColumns } from './describe.ts';
import { exportRows } from './export-rows.ts';
import { checkKey, tryKey } from './foreign-key-check.ts';
import { guardTable } from './guards.ts';
import { createJournal, finishSwap, holdName, note, type Step, takeBack } from './journal.ts';
import { loadRows } from './load-rows.ts';
import { quoteName, tableKey, tableLabel } from './names.ts';
import { serverIdentity } from './outcome.ts';
import { probe } from './probe.ts';
import { isBroken } from './read-schema.ts';
import { isConnectionLoss, statementRefusal } from './refusal.ts';
import { dropOf, type PlannedTable } from './restore-tables.ts';
import { restartSequence, setCounter } from './sequences.ts';
import type { MariadbSession } from './session.ts';
import { keyChecks, type RestoreGround, stepsAfterSwap, swapStatement } from './swap.ts';

const NEVER = new AbortController().signal;

/** Made by `beginRestore`, with the tables to be replaced locked by `locker`. */
export class MariadbRestore implements DatabaseRestore {
  readonly concurrentLoads = 2;
  readonly #worker: MariadbSession;
  readonly #locker: MariadbSession;
  /** Sessions that load nothing now. */
  readonly #idle: MariadbSession[];
  /** A second session for loads, once one was needed. */
  #loader: MariadbSession | undefined;
  readonly #ground: RestoreGround;
  #columns: ReadonlyMap<string, readonly LiveColumn[]> = new Map();
  #began = false;
  #swapTried = false;
  #done = false;
  #warnings: readonly string[] = [];

  constructor(worker: MariadbSession, locker: MariadbSession, ground: RestoreGround) {
    this.#worker = worker;
    this.#locker = locker;
    this.#idle = [worker];
    this.#ground = ground;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  async clear(signal: AbortSignal): Promise<void> {
    const { names, tables } = this.#ground;
    await this.#telling(async () => {
      this.#began = true;
      await createJournal(this.#worker, names, signal);
      await probe(this.#worker, names, tables.epilogue, signal);
      for (const { object, sql } of tables.prelude) {
        const drop = dropOf(object);
        if (drop !== undefined) await note(this.#worker, names, [{ kind: 'UNDO', sql: drop }], signal);
        await this.#worker.execute(sql, signal);
      }
      for (const table of tables.planned) {
        await this.#worker.execute(renameCreateTable(table.create, quoteName(names.fresh(table.n))), signal);
      }
      this.#columns = await readColumns(this.#worker, signal);
      for (const table of this.#ground.request.tables) this.#columnsOf(table);
    });
  }

  async load(table: TableToRestore, rows: AsyncIterable<Buffer>, signal: AbortSignal): Promise<number> {
    const planned = this.#planned(table);
    const label = tableLabel(table);
    const into = quoteName(this.#ground.names.fresh(planned.n));
    const cleared = this.#ground.request.clearedColumns
      .filter((entry) => tableKey(entry.table) === tableKey(table))
      .flatMap((entry) => entry.columns);
    return await this.#telling(async () => {
      const load = { label, into, columns: this.#columnsOf(table), cleared: new Set(cleared) };
      const session = this.#idle.pop() ?? (await this.#openLoader(signal));
      try {
        return await loadRows(session, load, rows, signal);
      } finally {
        this.#idle.push(session);
      }
    }, label);
  }

  async finish(sequences: readonly SequenceState[], signal: AbortSignal): Promise<void> {
    const { names, tables } = this.#ground;
    await this.#loader?.end();
    for (const table of tables.planned) {
      if (table.indexes === undefined) continue;
      const sql = `ALTER TABLE ${quoteName(names.fresh(table.n))} ${table.indexes}`;
      await this.#telling(() => this.#worker.execute(sql, signal), table.name);
    }
    await this.#telling(async () => {
      const steps = await this.#setSequences(sequences, signal);
      for (const check of keyChecks(this.#ground, false)) await checkKey(this.#worker, check, signal);
      for (const check of keyChecks(this.#ground, true)) await tryKey(this.#worker, names, check, signal);
      await note(this.#worker, names, [...stepsAfterSwap(this.#ground), ...steps], signal);
    });
  }

  async *readRows(table: TableToRestore, signal: AbortSignal): AsyncGenerator<Buffer> {
    const label = tableLabel(table);
    const from = quoteName(this.#ground.names.fresh(this.#planned(table).n));
    try {
      yield* exportRows(this.#worker, from, label, this.#columnsOf(table), signal);
    } catch (error) {
      throw statementRefusal(error, { table: label });
    }
  }

  async ticket(): Promise<RestoreTicket> {
    return await this.#telling(async () => ({
      restoreId: this.#ground.request.restoreId,
      database: this.#worker.database,
      server: await serverIdentity(this.#worker, NEVER),
    }));
  }

  async commit(): Promise<void> {
    const { names, tables } = this.#ground;
    try {
      for (const { name, n, exists } of tables.planned) {
        if (exists) await guardTable(this.#locker, names, name, 2 * n, NEVER);
      }
      // The guards keep writers out from here on; a key's other table could not be guarded under the lock.
      await this.#locker.end();
      for (const { n } of tables.planned)
        await guardTable(this.#worker, names, names.fresh(n), 2 * n + 1, NEVER);
      for (const { name, n } of tables.neighbours) await guardTable(this.#worker, names, name, 2 * n, NEVER);
      // Tables that stay were not locked: their keys are looked at again now that nobody can write.
      for (const check of keyChecks(this.#ground, true)) await checkKey(this.#worker, check, NEVER);
      this.#swapTried = true;
      await this.#worker.execute(swapStatement(this.#ground), NEVER);
      this.#warnings = [...(await finishSwap(this.#worker, names, NEVER)), ...(await this.#brokenViews())];
    } catch (error) {
      if (this.#worker.lost || isConnectionLoss(error)) {
        throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection broke while the tables were swapped.', {
          hint: 'Whether the restore took effect is found out as soon as the server answers again.',
          cause: error,
        });
      }
      throw statementRefusal(error, { restoring: true });
    }
    this.#done = true;
    await this.#worker.end();
  }

  /** The restore took effect: what keeps this from being found out is no fault of it. */
  async #brokenViews(): Promise<readonly string[]> {
    const broken: string[] = [];
    for (const view of this.#ground.tables.otherViews) {
      if (!(await isBroken(this.#worker, view, NEVER).catch(() => false))) continue;
      broken.push(
        `VIEW ${view}, which the backup does not know, reads what is not there any more: it was left as it is.`,
      );
    }
    return broken;
  }

  async rollback(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    await this.#loader?.kill();
    await this.#locker.kill();
    try {
      // Once the swap was tried only the database knows what to do: outcome() asks it.
      if (this.#began && !this.#swapTried) await this.#takeBack();
    } catch {
      // The server is out of reach: outcome() or sweep() find what is left.
    }
    await this.#worker.end();
  }

  async #takeBack(): Promise<void> {
    if (!this.#worker.lost) {
      await takeBack(this.#worker, this.#ground.names, NEVER);
      return;
    }
    await this.#worker.kill();
    const other = await this.#worker.reopen(NEVER);
    try {
      await takeBack(other, this.#ground.names, NEVER);
    } finally {
      await other.end();
    }
  }

  async #openLoader(signal: AbortSignal): Promise<MariadbSession> {
    if (this.#loader !== undefined) throw new Error('more tables are loaded at once than was said');
    this.#loader = await this.#worker.reopen(signal);
    await holdName(this.#loader, this.#ground.names, 'loader', signal);
    return this.#loader;
  }

  #planned(table: TableToRestore): PlannedTable {
    const planned = this.#ground.tables.planned.find(
      ({ name }) => table.schema === null && name === table.name,
    );
    if (planned === undefined) throw new Error(`${tableLabel(table)} is not part of this restore`);
    return planned;
  }

  /** The columns of the new table that the rows hold, in the order of the rows. */
  #columnsOf(table: TableToRestore): readonly LiveColumn[] {
    const made = this.#columns.get(this.#ground.names.fresh(this.#planned(table).n)) ?? [];
    return table.columns.map((name) => {
      const column = made.find((candidate) => candidate.name === name && !candidate.generated);
      if (column !== undefined) return column;
      throw new HoldfastError(
        'SCHEMA_MISMATCH',
        `Table ${tableLabel(table)} has no column ${name} to fill.`,
        {
          hint: 'Bring the structure of the database to that of the backup first.',
        },
      );
    });
  }

  /** Counters at once, in the new tables; sequence objects after the swap. */
  async #setSequences(states: readonly SequenceState[], signal: AbortSignal): Promise<Step[]> {
    const { names, tables, sequences } = this.#ground;
    const made = tables.prelude.map(({ object }) => object);
    const steps = tables.sequences.map(
      ({ object, sql }): Step => ({
        kind: 'AFTER',
        sql: sql.replace(/^CREATE /, 'CREATE OR REPLACE '),
        object,
      }),
    );
    for (const state of states) {
      const table = tables.planned.find(({ name }) => name === state.name);
      if (table !== undefined) {
        await this.#worker.execute(setCounter(state, quoteName(names.fresh(table.n))), signal);
      } else if (sequences.includes(state.name) || made.includes(`SEQUENCE ${state.name}`)) {
        steps.push({ kind: 'AFTER', sql: restartSequence(state) });
      } else {
        throw new HoldfastError('SCHEMA_MISMATCH', `Sequence ${state.name} is not in the database.`, {
          hint: 'Bring the structure of the database to that of the backup first.',
        });
      }
    }
    return steps;
  }

  async #telling<T>(work: () => Promise<T>, table?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw statementRefusal(error, { restoring: true, ...(table === undefined ? {} : { table }) });
    }
  }
}
