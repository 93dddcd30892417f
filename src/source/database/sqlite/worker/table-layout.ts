import { HoldfastError } from '../../../../errors.ts';
import { type Affinity, affinityOf } from './affinity.ts';
import type { Connection } from './open-database.ts';
import { foldName } from './sql-names.ts';

/** A column as PRAGMA table_xinfo has it. */
export interface ColumnLayout {
  readonly name: string;
  readonly type: string;
  readonly affinity: Affinity;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Place in the primary key, from 1; 0 when it is no part of it. */
  readonly keyPlace: number;
  readonly generated: boolean;
}

/** What there is to know about a table to read and write its rows. */
export interface TableLayout {
  readonly name: string;
  readonly strict: boolean;
  readonly withoutRowid: boolean;
  readonly columns: readonly ColumnLayout[];
  /** The column that is another name of the rowid (INTEGER PRIMARY KEY). */
  readonly rowidAlias: string | undefined;
}

/** The layout of a table that holds rows, inside of a virtual one or not; undefined when there is none of this name. */
export function findLayout(db: Connection, table: string): TableLayout | undefined {
  const found = db
    .prepare<[string], { name: string; wr: number; strict: number }>(
      "SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name = ? COLLATE NOCASE",
    )
    .get(table);
  if (found === undefined) return undefined;
  const strict = found.strict === 1;
  const columns = db
    .prepare<
      [string],
      { name: string; type: string; notnull: number; dflt_value: unknown; pk: number; hidden: number }
    >("SELECT * FROM pragma_table_xinfo(?, 'main') ORDER BY cid")
    .all(found.name)
    .map((column) => ({
      name: column.name,
      type: column.type,
      affinity: affinityOf(column.type, strict),
      notNull: column.notnull === 1,
      hasDefault: column.dflt_value !== null,
      keyPlace: column.pk,
      generated: column.hidden === 2 || column.hidden === 3,
    }));
  const withoutRowid = found.wr === 1;
  return {
    name: found.name,
    strict,
    withoutRowid,
    columns,
    rowidAlias: aliasOf(db, found.name, withoutRowid, columns),
  };
}

/** @throws HoldfastError SCHEMA_MISMATCH when the table is not there */
export function layoutOf(db: Connection, table: string): TableLayout {
  const layout = findLayout(db, table);
  if (layout !== undefined) return layout;
  throw new HoldfastError('SCHEMA_MISMATCH', `The database has no table ${JSON.stringify(table)}.`, {
    hint: 'Bring the database to the structure it had when the backup was made, or leave the table out.',
  });
}

/**
 * The columns of a table by name, in the order asked for.
 *
 * @throws HoldfastError SCHEMA_MISMATCH when one is not there or is generated
 */
export function columnsOf(layout: TableLayout, names: readonly string[]): readonly ColumnLayout[] {
  const byName = new Map(layout.columns.map((column) => [foldName(column.name), column]));
  return names.map((name) => {
    const column = byName.get(foldName(name));
    if (column !== undefined && !column.generated) return column;
    const what = column === undefined ? 'has no column' : 'computes the column';
    throw new HoldfastError(
      'SCHEMA_MISMATCH',
      `The table ${JSON.stringify(layout.name)} ${what} ${JSON.stringify(name)}.`,
      { hint: 'Bring the table to the structure it had when the backup was made, or leave it out.' },
    );
  });
}

function aliasOf(
  db: Connection,
  table: string,
  withoutRowid: boolean,
  columns: readonly ColumnLayout[],
): string | undefined {
  const [key, ...more] = columns.filter((column) => column.keyPlace > 0);
  if (withoutRowid || key === undefined || more.length > 0 || foldName(key.type) !== 'integer')
    return undefined;
  // "INTEGER PRIMARY KEY DESC" is no alias: it has an index of its own.
  const ownIndex = db.prepare("SELECT 1 FROM pragma_index_list(?, 'main') WHERE origin = 'pk'").get(table);
  return ownIndex === undefined ? key.name : undefined;
}
