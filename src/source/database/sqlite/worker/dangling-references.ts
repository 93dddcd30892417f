/**
 * Foreign keys that cross the border of a restore: from tables left alone into restored ones, and the other way. With
 * both ends inside, rows come back as they were, dangling or not (SQLite checks nothing unless told to, so real
 * databases hold such rows). Across the border nothing may point to nothing that did not do so before.
 */
import { HoldfastError } from '../../../../errors.ts';
import { foreignKeysOf } from './foreign-keys.ts';
import type { Connection } from './open-database.ts';
import { foldName } from './sql-names.ts';
import { isRefusal } from './sqlite-error.ts';
import { findLayout } from './table-layout.ts';

interface Crossing {
  readonly table: string;
  /** SQLite's own numbers of the foreign keys that cross. */
  readonly keys: readonly number[];
}

/** Remembers what dangles before a restore and refuses what dangles only after it. */
export class DanglingReferences {
  readonly #db: Connection;
  readonly #restored: readonly string[];

  /** @param restored - names of tables */
  constructor(db: Connection, restored: readonly string[]) {
    this.#db = db;
    this.#restored = restored;
  }

  /** Call before anything is deleted. */
  remember(): void {
    this.#db.exec('CREATE TEMP TABLE holdfast_dangling_before (tbl TEXT, key INTEGER, row INTEGER)');
    this.#db.exec(
      'CREATE TEMP TABLE holdfast_dangling_after (tbl TEXT, key INTEGER, row INTEGER, parent TEXT)',
    );
    for (const crossing of crossings(this.#db, this.#restored)) this.#collect('before', crossing);
  }

  /** What is remembered of a table that was made anew: its keys may have other numbers. */
  forget(table: string): void {
    this.#db.prepare('DELETE FROM temp.holdfast_dangling_before WHERE tbl = ? COLLATE NOCASE').run(table);
  }

  /** @throws HoldfastError SCHEMA_MISMATCH naming the table, its row and what it refers to */
  refuseNewOnes(): void {
    // Again, since a schema may have brought other keys.
    const crossing = crossings(this.#db, this.#restored);
    for (const each of crossing) this.#collect('after', each);
    if (crossing.length === 0) return;
    const found = this.#db
      .prepare<[], { tbl: string; row: number | null; parent: string; more: number }>(
        // Rows without rowid have no name of their own here: they are compared by their number.
        `SELECT a.tbl, a.row, a.parent, count(*) OVER () - 1 AS more FROM temp.holdfast_dangling_after a
         WHERE CASE WHEN a.row IS NULL
           THEN (SELECT count(*) FROM temp.holdfast_dangling_after x WHERE x.tbl = a.tbl AND x.key = a.key)
              > (SELECT count(*) FROM temp.holdfast_dangling_before b WHERE b.tbl = a.tbl AND b.key = a.key)
           ELSE (a.tbl, a.key, a.row) NOT IN (SELECT tbl, key, row FROM temp.holdfast_dangling_before WHERE row NOT NULL) END
         LIMIT 1`,
      )
      .get();
    if (found === undefined) return;
    const row = found.row === null ? 'A row' : `The row with rowid ${found.row}`;
    const more = found.more > 0 ? `, and ${found.more} more rows would` : '';
    throw new HoldfastError(
      'SCHEMA_MISMATCH',
      `${row} of the table ${JSON.stringify(found.tbl)} would refer to a row of ${JSON.stringify(found.parent)} that does not exist${more}.`,
      {
        hint: `Restore ${JSON.stringify(found.tbl)} and ${JSON.stringify(found.parent)} together, or correct the rows.`,
      },
    );
  }

  #collect(when: 'before' | 'after', { table, keys }: Crossing): void {
    const columns = when === 'after' ? 'tbl, key, row, parent' : 'tbl, key, row';
    const selected = when === 'after' ? '?, fkid, rowid, parent' : '?, fkid, rowid';
    try {
      this.#db
        .prepare(
          `INSERT INTO temp.holdfast_dangling_${when} (${columns})
           SELECT ${selected} FROM pragma_foreign_key_check(?, 'main') WHERE fkid IN (${keys.join(', ')})`,
        )
        .run(table, table);
    } catch (error) {
      // A key that SQLite calls a mismatch (its parent columns are not unique) binds nobody.
      if (!isRefusal(error)) throw error;
    }
  }
}

function crossings(db: Connection, restored: readonly string[]): Crossing[] {
  const inside = new Set(restored.map(foldName));
  const all = db
    .prepare<[], string>(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all();
  return all.flatMap((table) => {
    const keys = foreignKeysOf(db, table, (name) => findLayout(db, name))
      .filter((key) => {
        const parent = key.references.name;
        // A parent that does not exist was none before either.
        return (
          inside.has(foldName(table)) !== inside.has(foldName(parent)) && findLayout(db, parent) !== undefined
        );
      })
      .map((key) => Number(key.name.slice('fk_'.length)));
    return keys.length === 0 ? [] : [{ table, keys }];
  });
}
