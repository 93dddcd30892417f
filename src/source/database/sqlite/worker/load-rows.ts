/** Row lines into a table. */
import { HoldfastError } from '../../../../errors.ts';
import type { Affinity } from './affinity.ts';
import { type Bound, RowInserter } from './insert-rows.ts';
import { MalformedRow } from './malformed-row.ts';
import type { Connection } from './open-database.ts';
import { exactFields, type Fields, readLines } from './read-lines.ts';
import { encodingOf } from './row-line.ts';
import { carriedRowid, rowidField, rowidIn } from './rowids.ts';
import { foldName } from './sql-names.ts';
import { isRefusal } from './sqlite-error.ts';
import { columnsOf, layoutOf } from './table-layout.ts';
import { sqliteValue, TextBytes, type Value } from './values.ts';

interface LoadedColumn {
  /** As the lines spell it. */
  readonly name: string;
  /** True when the column itself makes an integer or a real of a number. */
  readonly isNumeric: boolean;
  readonly cleared: boolean;
}

/**
 * Inserts every row, or throws with table and row.
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
    isNumeric: isNumeric(column.affinity),
    cleared: cleared.has(foldName(column.name)),
  }));
  const inserter = new RowInserter(db, layout.name, target.columns);
  const encoding = encodingOf(db);
  const rowid = carriedRowid(layout);
  const rowidIsIn = rowidField(target.columns);
  /** The values of a row; before them its rowid, once one was said. */
  const row: Bound[] = columns.map(() => null);
  let saysRowid = false;
  let taken = 0;
  /** Of the row at hand: its fields to every digit, and the columns whose bytes are text. */
  let exact: Fields | undefined;
  let castPlaces = '';

  const valueIn = (fields: Fields, line: string | undefined, column: LoadedColumn): Value => {
    const field = fields[column.name];
    if (field === undefined) {
      throw new MalformedRow(`it lacks the column ${JSON.stringify(column.name)}`, 'SCHEMA_MISMATCH');
    }
    if (typeof field !== 'number' || line === undefined) return sqliteValue(field);
    const kept = keptNumber(field, column, line);
    if (kept !== undefined) return kept;
    exact ??= exactFields(line);
    return sqliteValue(exact[column.name]);
  };

  const boundAt = (value: Value, place: number): Bound => {
    if (!(value instanceof TextBytes)) return value;
    const stored = value.storedIn(encoding);
    if (typeof stored !== 'string') castPlaces += `${place},`;
    return stored;
  };

  /** Checks how many fields a row has; the place of its first column. */
  const takeRowid = (fields: Fields, line: string | undefined): number => {
    const more = Object.keys(fields).length - columns.length;
    const said = more === 1 ? fields[rowidIsIn] : undefined;
    if (more !== 0 && said === undefined) {
      throw new MalformedRow('it has other columns than the bundle says', 'SCHEMA_MISMATCH');
    }
    // A table whose rowid has a column, or that has none, needs not be told.
    if (rowid !== undefined && said !== undefined && !saysRowid) {
      inserter.addColumn(rowid);
      row.push(null);
      saysRowid = true;
    }
    if (!saysRowid) return 0;
    row[0] = said === undefined ? null : rowidIn(fields, rowidIsIn, line);
    return 1;
  };

  const take = (fields: Fields, line: string | undefined): void => {
    exact = undefined;
    castPlaces = '';
    // An iterator of entries would cost as much as the row.
    let place = takeRowid(fields, line);
    for (const column of columns) {
      const value = valueIn(fields, line, column);
      row[place] = column.cleared ? null : boundAt(value, place);
      place += 1;
    }
    taken += 1;
    if (castPlaces === '') inserter.add(row, line?.length ?? Number.POSITIVE_INFINITY);
    else inserter.addCast(row, castPlaces);
  };

  try {
    readLines(chunks, take);
    inserter.flush();
  } catch (error) {
    // Rows before a malformed one may still wait to be inserted.
    throw refusal(error, layout.name, (error instanceof MalformedRow ? taken : inserter.rows) + 1);
  }
  return inserter.rows;
}

function isNumeric(affinity: Affinity): boolean {
  return affinity !== 'NONE' && affinity !== 'TEXT';
}

/**
 * The value of a number, undefined where it takes every digit as it is written. Columns with a numeric affinity make an
 * integer (or a real) of a number themselves, so for most it does not matter that JSON.parse forgets how they were
 * written. Elsewhere 1 and 1.0 differ.
 */
function keptNumber(value: number, column: LoadedColumn, line: string): number | bigint | undefined {
  if (!Number.isInteger(value)) return Number.isFinite(value) ? value : undefined;
  if (!Number.isSafeInteger(value)) return undefined;
  if (column.isNumeric) return value;
  // A real without a fraction would have one of these, perhaps as part of a text.
  return /\.0|\d[eE]/.test(line) ? undefined : BigInt(value);
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
