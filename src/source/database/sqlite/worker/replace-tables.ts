/** The transaction of a restore, as SQLite has to be led through it. */
import { HoldfastError } from '../../../../errors.ts';
import type { DatabaseRestoreRequest, SequenceState } from '../../../source.ts';
import { DanglingReferences } from './dangling-references.ts';
import { isHeaderValue, setHeaderValue } from './header-values.ts';
import { dropObject, makeObject } from './make-object.ts';
import type { Connection } from './open-database.ts';
import { SchemaReplacement } from './replace-schema.ts';
import { hasSequences } from './row-counts.ts';
import { type SchemaObject, schemaObjects } from './schema-objects.ts';
import { foldName, quoteName } from './sql-names.ts';
import { keepStatistics } from './statistics.ts';
import { columnsOf, layoutOf } from './table-layout.ts';
import { incompleteVirtualTable } from './virtual-tables.ts';

/** Pages kept in memory while indexes are made, KiB. */
const SORTING_KIB = 2048;

/** One transaction that replaces the rows of some tables. Made when the transaction has begun. */
export class TableReplacement {
  readonly #db: Connection;
  readonly #request: DatabaseRestoreRequest;
  readonly #schema: SchemaReplacement | undefined;
  readonly #cleared: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #references: DanglingReferences;
  #putStatisticsBack: () => void = () => {};
  /** As the database spells them, parents first. */
  #tables: readonly string[] = [];
  /** Indexes and triggers of the tables, set aside while they are filled. */
  #aside: readonly SchemaObject[] = [];

  /** @throws HoldfastError SCHEMA_MISMATCH when a table or column of the request is not there and will not be made */
  constructor(db: Connection, request: DatabaseRestoreRequest) {
    this.#db = db;
    this.#request = request;
    const names = request.tables.map((table) => table.name);
    // Can only be set outside of a transaction. finish() checks what it leaves unchecked.
    db.pragma('foreign_keys = OFF');
    // A journal decides over files by this transaction: once committed it has to outlive a power failure.
    db.pragma('synchronous = EXTRA');
    // Else the tables inside of virtual ones may not be filled.
    db.unsafeMode();
    this.#schema = request.schema && new SchemaReplacement(db, request.schema, names);
    db.exec('BEGIN IMMEDIATE');
    if (this.#schema === undefined) this.#findTables();
    this.#cleared = new Map(
      request.clearedColumns.map(({ table, columns }) => [
        foldName(table.name),
        new Set(columns.map(foldName)),
      ]),
    );
    this.#references = new DanglingReferences(db, names);
  }

  /** The columns of a table that are to become NULL, folded. */
  clearedColumnsOf(table: string): ReadonlySet<string> {
    return this.#cleared.get(foldName(table)) ?? new Set();
  }

  /** Makes the tables if that is asked for, empties them, and takes their indexes and triggers away. */
  clear(): void {
    this.#references.remember();
    this.#putStatisticsBack = keepStatistics(this.#db);
    if (this.#schema !== undefined) {
      for (const made of this.#schema.makeTables()) this.#references.forget(made);
      this.#findTables();
    }
    const inside = new Set(this.#tables.map(foldName));
    this.#aside = schemaObjects(this.#db).filter(
      ({ type, table }) => (type === 'index' || type === 'trigger') && inside.has(foldName(table)),
    );
    for (const object of this.#aside) dropObject(this.#db, object);
    for (const table of this.#tables.toReversed()) this.#db.exec(`DELETE FROM main.${quoteName(table)}`);
    if (!hasSequences(this.#db)) return;
    const forget = this.#db.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?');
    for (const table of this.#tables) forget.run(table);
  }

  /**
   * Sets the AUTOINCREMENT counters of the tables and the numbers in the header, brings indexes and triggers back, or
   * those of the schema, and checks references.
   *
   * @throws HoldfastError SCHEMA_MISMATCH when a reference into or out of the tables points to nothing now
   */
  finish(sequences: readonly SequenceState[]): void {
    this.#setSequences(sequences);
    const cache = this.#db.pragma('cache_size', { simple: true });
    // Sorting for an index takes twice the cache, and a bigger one makes it no faster.
    this.#db.pragma(`cache_size = -${SORTING_KIB}`);
    for (const object of this.#aside) makeObject(this.#db, object);
    this.#aside = [];
    this.#schema?.finish();
    this.#db.pragma(`cache_size = ${cache}`);
    for (const value of sequences.filter(isHeaderValue)) setHeaderValue(this.#db, value);
    this.#putStatisticsBack();
    if (this.#schema !== undefined) this.#requireWholeVirtualTables();
    this.#references.refuseNewOnes();
  }

  #findTables(): void {
    this.#tables = this.#request.tables.map((table) => {
      const layout = layoutOf(this.#db, table.name);
      columnsOf(layout, table.columns);
      return layout.name;
    });
    this.#requireWholeVirtualTables();
  }

  #requireWholeVirtualTables(): void {
    const incomplete = incompleteVirtualTable(this.#db, this.#tables);
    if (incomplete === undefined) return;
    const { name, restored, missing } = incomplete;
    throw new HoldfastError(
      'SCHEMA_MISMATCH',
      `The table ${JSON.stringify(restored)} is a part of the virtual table ${JSON.stringify(name)}, whose part ${JSON.stringify(missing)} is not restored.`,
      { hint: `Restore all tables that begin with ${JSON.stringify(`${name}_`)} together, or none.` },
    );
  }

  #setSequences(sequences: readonly SequenceState[]): void {
    if (!hasSequences(this.#db)) return;
    const tables = new Map(this.#tables.map((table) => [foldName(table), table]));
    const remove = this.#db.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?');
    const add = this.#db.prepare('INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)');
    for (const { schema, name, lastValue, isCalled } of sequences) {
      const table = schema === null ? tables.get(foldName(name)) : undefined;
      if (table === undefined) continue;
      remove.run(table);
      add.run(table, BigInt(lastValue) - (isCalled ? 0n : 1n));
    }
  }
}
