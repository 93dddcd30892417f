/** The transaction of a restore, as SQLite has to be led through it. */
import type { DatabaseRestoreRequest, SequenceState } from '../../../source.ts';
import { DanglingReferences } from './dangling-references.ts';
import type { Connection } from './open-database.ts';
import { hasSequences } from './row-counts.ts';
import { foldName, quoteName } from './sql-names.ts';
import { columnsOf, layoutOf } from './table-layout.ts';

interface Trigger {
  readonly name: string;
  readonly sql: string;
}

/** One transaction that replaces the rows of some tables. Made when the transaction has begun. */
export class TableReplacement {
  readonly #db: Connection;
  /** As the database spells them, parents first. */
  readonly #tables: readonly string[];
  readonly #cleared: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #references: DanglingReferences;
  #triggers: readonly Trigger[] = [];

  /** @throws HoldfastError SCHEMA_MISMATCH when a table or column of the request is not there */
  constructor(db: Connection, request: DatabaseRestoreRequest) {
    this.#db = db;
    // Can only be set outside of a transaction. finish() checks what it leaves unchecked.
    db.pragma('foreign_keys = OFF');
    // A journal decides over files by this transaction: once committed it has to outlive a power failure.
    db.pragma('synchronous = EXTRA');
    db.exec('BEGIN IMMEDIATE');
    this.#tables = request.tables.map((table) => {
      const layout = layoutOf(db, table.name);
      columnsOf(layout, table.columns);
      return layout.name;
    });
    this.#cleared = new Map(
      request.clearedColumns.map(({ table, columns }) => [
        foldName(table.name),
        new Set(columns.map(foldName)),
      ]),
    );
    this.#references = new DanglingReferences(db, this.#tables);
  }

  /** The columns of a table that are to become NULL, folded. */
  clearedColumnsOf(table: string): ReadonlySet<string> {
    return this.#cleared.get(foldName(table)) ?? new Set();
  }

  /** Empties the tables and takes their triggers away. */
  clear(): void {
    this.#references.remember();
    this.#triggers = this.#tables.flatMap((table) => triggersOf(this.#db, table));
    for (const trigger of this.#triggers) this.#db.exec(`DROP TRIGGER main.${quoteName(trigger.name)}`);
    for (const table of this.#tables.toReversed()) this.#db.exec(`DELETE FROM main.${quoteName(table)}`);
    if (!hasSequences(this.#db)) return;
    const forget = this.#db.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?');
    for (const table of this.#tables) forget.run(table);
  }

  /**
   * Sets the AUTOINCREMENT counters of the tables, brings the triggers back and checks references.
   *
   * @throws HoldfastError SCHEMA_MISMATCH when a reference into or out of the tables points to nothing now
   */
  finish(sequences: readonly SequenceState[]): void {
    this.#setSequences(sequences);
    for (const trigger of this.#triggers) this.#db.exec(trigger.sql);
    this.#triggers = [];
    this.#references.refuseNewOnes();
  }

  #setSequences(sequences: readonly SequenceState[]): void {
    if (!hasSequences(this.#db)) return;
    const tables = new Map(this.#tables.map((table) => [foldName(table), table]));
    const remove = this.#db.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?');
    const add = this.#db.prepare('INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)');
    for (const { name, lastValue, isCalled } of sequences) {
      const table = tables.get(foldName(name));
      if (table === undefined) continue;
      remove.run(table);
      add.run(table, BigInt(lastValue) - (isCalled ? 0n : 1n));
    }
  }
}

/** SQLite cannot silence triggers, so they are dropped and made again from their own words, in their own order. */
function triggersOf(db: Connection, table: string): Trigger[] {
  return db
    .prepare<[string], Trigger>(
      "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY rowid",
    )
    .all(table);
}
