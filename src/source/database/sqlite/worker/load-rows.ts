/** Row lines into a table, by one prepared INSERT. */
import { HoldfastError } from '../../../../errors.ts';
import type { Affinity } from './affinity.ts';
import { MalformedRow } from './malformed-row.ts';
import type { Connection } from './open-database.ts';
import { type Row, readLines } from './read-lines.ts';
import { encodingOf } from './row-line.ts';
import { foldName, quoteName } from './sql-names.ts';
import { isRefusal } from './sqlite-error.ts';
import { columnsOf, layoutOf } from './table-layout.ts';
import { sqliteValue, TextBytes, type Value } from './values.ts';

type Bound = string | number | bigint | Buffer | null;

/** Rows whose text is bytes need statements of their own: few, and a hostile bundle shall not make them many. */
const MOST_STATEMENTS = 64;

/**
 * Inserts every row, or throws with table and row. Constraints that would skip or replace rows (ON CONFLICT in the
 * table's definition) refuse instead.
 *
 * @param cleared - columns to set to NULL, folded
 * @returns the number of rows inserted
 * @throws HoldfastError SCHEMA_MISMATCH for a row with other columns or that the table refuses, INVALID_CHECKSUM for a line that is no row
 */
export function loadRows(
  db: Connection,
  target: { readonly table: string; readonly columns: readonly string[] },
  cleared: ReadonlySet<string>,
  chunks: Iterable<Buffer>,
): number {
  const layout = layoutOf(db, target.table);
  const columns = columnsOf(layout, target.columns).map((column, place) => ({
    name: target.columns[place] ?? column.name,
    takesNumbers: column.affinity,
    cleared: cleared.has(foldName(column.name)),
  }));
  const statementFor = insertStatements(db, layout.name, target.columns);
  const storesUtf8 = encodingOf(db) === 'UTF-8';
  const values: Bound[] = columns.map(() => null);
  let rows = 0;

  const insert = (row: Row): void => {
    let castPlaces = '';
    for (const [place, column] of columns.entries()) {
      const value = column.cleared ? null : fieldOf(row, column.name, column.takesNumbers);
      if (value instanceof TextBytes) {
        values[place] = storesUtf8 ? value.utf8 : value.toText();
        if (storesUtf8) castPlaces += `${place},`;
      } else {
        values[place] = value;
      }
    }
    statementFor(castPlaces).run(...values);
  };

  try {
    for (const row of readLines(chunks, columns.length)) {
      insert(row);
      rows += 1;
    }
  } catch (error) {
    throw refusal(error, layout.name, rows + 1);
  }
  return rows;
}

function fieldOf(row: Row, name: string, affinity: Affinity): Value {
  const { fields } = row;
  if (!Object.hasOwn(fields, name)) {
    throw new MalformedRow(`it lacks the column ${JSON.stringify(name)}`, 'SCHEMA_MISMATCH');
  }
  const value = fields[name];
  if (typeof value !== 'number') return sqliteValue(value);
  return survivesAsDouble(value, affinity) ? value : sqliteValue(row.exact()[name]);
}

/**
 * Columns with a numeric affinity make an integer (or a real) of a number themselves, so for most numbers it does not
 * matter that JSON.parse forgets how they were written. Elsewhere 1 and 1.0 differ.
 */
function survivesAsDouble(value: number, affinity: Affinity): boolean {
  if (affinity === 'NONE' || affinity === 'TEXT') return false;
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

function insertStatements(db: Connection, table: string, names: readonly string[]) {
  const statements = new Map<string, { run(...values: Bound[]): unknown }>();
  const columns = names.map(quoteName).join(', ');
  return (castPlaces: string) => {
    const known = statements.get(castPlaces);
    if (known !== undefined) return known;
    if (statements.size >= MOST_STATEMENTS) statements.clear();
    const casts = new Set(castPlaces.split(',').filter(Boolean).map(Number));
    const values = names.map((_, place) => (casts.has(place) ? 'CAST(? AS TEXT)' : '?')).join(', ');
    const statement = db.prepare<Bound[]>(
      `INSERT OR ABORT INTO main.${quoteName(table)} (${columns}) VALUES (${values})`,
    );
    statements.set(castPlaces, statement);
    return statement;
  };
}

function refusal(error: unknown, table: string, row: number): unknown {
  const where = `Row ${row} of the table ${JSON.stringify(table)}`;
  if (error instanceof MalformedRow) {
    return new HoldfastError(error.code, `${where} cannot be read: ${error.message}.`, {
      hint: 'The bundle was changed after it was written; verify it, and restore another backup.',
      cause: error,
    });
  }
  if (!isRefusal(error)) return error;
  return new HoldfastError('SCHEMA_MISMATCH', `${where} was refused: ${error.message}.`, {
    hint: 'The table has rules that the data of the bundle breaks; bring it to the structure it had when the backup was made.',
    cause: error,
  });
}
