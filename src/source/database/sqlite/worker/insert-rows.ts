/** The INSERT statements of a load: many rows at once, since the way into SQLite costs more than a row does there. */
import type { Connection } from './open-database.ts';
import { quoteName } from './sql-names.ts';
import { isRefusal } from './sqlite-error.ts';

/** A value as better-sqlite3 takes it. */
export type Bound = string | number | bigint | Buffer | null;

/** Values of one statement, and rows. */
const MOST_VALUES = 500;
const MOST_ROWS = 50;
/** Rows that wait for others are no more than this, in characters of their lines: they are held in memory. */
const MOST_WAITING = 256 * 1024;
/** Rows whose text is bytes need statements of their own: few, and a hostile bundle shall not make them many. */
const MOST_STATEMENTS = 64;

type Statement = (values: readonly Bound[]) => void;

/** Collects rows of one table and inserts them. Constraints that would skip or replace rows refuse instead. */
export class RowInserter {
  readonly #db: Connection;
  readonly #table: string;
  #names: readonly string[];
  #rowsAtOnce: number;
  readonly #single = new Map<string, Statement>();
  #many: Statement | undefined;
  #waiting: Bound[] = [];
  #waitingSize = 0;
  #rows = 0;

  constructor(db: Connection, table: string, names: readonly string[]) {
    this.#db = db;
    this.#table = table;
    this.#names = names;
    this.#rowsAtOnce = rowsAtOnce(names);
  }

  /** From now on rows begin with another value: of this column, or NULL where SQLite chooses it. */
  addColumn(name: string): void {
    this.flush();
    this.#names = [name, ...this.#names];
    this.#rowsAtOnce = rowsAtOnce(this.#names);
    this.#single.clear();
    this.#many = undefined;
  }

  /** Rows that are in the table. When it refuses one, these are the rows before that. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Takes a row, perhaps only to insert it with the next ones.
   *
   * @param size - about how much memory it holds
   */
  add(row: readonly Bound[], size: number): void {
    for (const value of row) this.#waiting.push(value);
    this.#waitingSize += size;
    if (this.#waiting.length >= this.#rowsAtOnce * this.#names.length) this.#insertMany();
    else if (this.#waitingSize > MOST_WAITING) this.flush();
  }

  /** Inserts a row some of whose blobs are text: `castPlaces` names their columns, as `3,5,`. */
  addCast(row: readonly Bound[], castPlaces: string): void {
    this.flush();
    this.#insertOne(row, castPlaces);
  }

  /** Inserts what waits. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingSize = 0;
    for (let at = 0; at < waiting.length; at += this.#names.length) {
      this.#insertOne(waiting.slice(at, at + this.#names.length), '');
    }
  }

  #insertMany(): void {
    this.#many ??= this.#prepare('', this.#rowsAtOnce);
    try {
      this.#many(this.#waiting);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // One of them was refused, and none is in: one after the other they tell which.
      this.flush();
      return;
    }
    this.#waiting = [];
    this.#waitingSize = 0;
    this.#rows += this.#rowsAtOnce;
  }

  #insertOne(row: readonly Bound[], castPlaces: string): void {
    let statement = this.#single.get(castPlaces);
    if (statement === undefined) {
      if (this.#single.size >= MOST_STATEMENTS) this.#single.clear();
      statement = this.#prepare(castPlaces, 1);
      this.#single.set(castPlaces, statement);
    }
    statement(row);
    this.#rows += 1;
  }

  #prepare(castPlaces: string, rows: number): Statement {
    const casts = new Set(castPlaces.split(',').filter(Boolean).map(Number));
    const values = Array.from({ length: this.#names.length }, (_, place) =>
      casts.has(place) ? 'CAST(? AS TEXT)' : '?',
    );
    const statement = this.#db.prepare<[readonly Bound[]]>(
      `INSERT OR ABORT INTO main.${quoteName(this.#table)} (${this.#names.map(quoteName).join(', ')})
       VALUES ${Array(rows)
         .fill(`(${values.join(', ')})`)
         .join(', ')}`,
    );
    return (bound) => void statement.run(bound);
  }
}

function rowsAtOnce(names: readonly string[]): number {
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_VALUES / names.length)));
}
