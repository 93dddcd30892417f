/** How a column stands in CREATE TABLE, and what has to be said about it afterwards. */
import type { ColumnRow, ConstraintRow, TableRow } from './table-queries.ts';

/** A table with all that belongs in its statement. */
export interface TableParts {
  readonly table: TableRow;
  readonly columns: readonly ColumnRow[];
  readonly constraints: readonly ConstraintRow[];
}

/** True when the column stands in the statement: those that come from a parent do not, partitions name all. */
export function stands({ table }: TableParts, column: ColumnRow): boolean {
  return column.local || table.isPartition;
}

/** The not-null constraint of a column, where the version has such. */
function notNullOf({ constraints }: TableParts, column: ColumnRow): ConstraintRow | undefined {
  return constraints.find((constraint) => constraint.kind === 'n' && constraint.column === column.number);
}

/** ` NOT NULL`, named when its name is not the one PostgreSQL would choose; empty when it is not to be said. */
export function notNull(parts: TableParts, column: ColumnRow): string {
  const constraint = notNullOf(parts, column);
  if (constraint === undefined) return column.notNull ? ' NOT NULL' : '';
  if (!constraint.valid || (!constraint.local && !parts.table.isPartition)) return '';
  return `${nameOf(parts, column, constraint)} NOT NULL${constraint.noInherit ? ' NO INHERIT' : ''}`;
}

function nameOf({ table }: TableParts, column: ColumnRow, constraint: ConstraintRow): string {
  const usual = `${table.plainName}_${column.plainName}_not_null`;
  return constraint.plainName === usual ? '' : ` CONSTRAINT ${constraint.name}`;
}

/** Not-null constraints that a table adds to columns of its parents, as lines of its statement (18 and newer). */
export function addedNotNulls(parts: TableParts): string[] {
  return parts.columns.flatMap((column) => {
    const constraint = notNullOf(parts, column);
    if (constraint === undefined || stands(parts, column) || !constraint.local || !constraint.valid)
      return [];
    return [
      `CONSTRAINT ${constraint.name} NOT NULL ${column.name}${constraint.noInherit ? ' NO INHERIT' : ''}`,
    ];
  });
}

/** The clause that makes an identity column; empty for others and where a parent's sequence is used. */
function identity(column: ColumnRow): string {
  if (column.identity === '' || column.sequenceName === null) return '';
  const when = column.identity === 'a' ? 'ALWAYS' : 'BY DEFAULT';
  return ` GENERATED ${when} AS IDENTITY (SEQUENCE NAME ${column.sequenceName} ${column.sequenceOptions})`;
}

function defaultClause(column: ColumnRow): string {
  if (column.defaultValue === null) return '';
  if (column.generated === 's') return ` GENERATED ALWAYS AS (${column.defaultValue}) STORED`;
  if (column.generated === 'v') return ` GENERATED ALWAYS AS (${column.defaultValue})`;
  return ` DEFAULT ${column.defaultValue}`;
}

/** The line of a column; `loose` leaves its default to a statement of its own. */
export function columnLine(parts: TableParts, column: ColumnRow, loose: boolean): string {
  const typed = parts.table.typed !== null;
  const foreign = column.foreignOptions === null ? '' : ` OPTIONS (${column.foreignOptions.join(', ')})`;
  const type = typed
    ? ' WITH OPTIONS'
    : ` ${column.type}${foreign}${column.collation === null ? '' : ` COLLATE ${column.collation}`}`;
  const value = loose && column.generated === '' ? '' : defaultClause(column);
  return `${column.name}${type}${value}${identity(column)}${notNull(parts, column)}`;
}

/** True when a typed table has to name the column, because the type does not say all. */
export function namesTyped(parts: TableParts, column: ColumnRow): boolean {
  return column.defaultValue !== null || notNull(parts, column) !== '' || column.identity !== '';
}

/** What has to be said about columns after the table is there. */
export function columnStatements(parts: TableParts): string[] {
  const { table } = parts;
  const alter = `ALTER ${table.kind === 'f' ? 'FOREIGN ' : ''}TABLE ONLY ${table.name} ALTER COLUMN`;
  return parts.columns.flatMap((column) =>
    [...(stands(parts, column) ? [] : inheritedChanges(parts, column)), ...storageSettings(column)].map(
      (change) => `${alter} ${column.name} ${change}`,
    ),
  );
}

/** How a column differs from that of the parent it comes from. */
function inheritedChanges(parts: TableParts, column: ColumnRow): string[] {
  const ownDefault = column.generated === '' && !(column.parentDefaults ?? []).includes(column.defaultValue);
  const ownNotNull = column.notNull && !column.parentNotNull && notNullOf(parts, column) === undefined;
  const value = column.defaultValue === null ? 'DROP DEFAULT' : `SET DEFAULT ${column.defaultValue}`;
  return [
    ...(ownDefault ? [value] : []),
    ...(ownNotNull ? ['SET NOT NULL'] : []),
    ...(identity(column) === '' ? [] : [`ADD${identity(column)}`]),
  ];
}

function storageSettings(column: ColumnRow): string[] {
  return [
    ...(column.storage === null ? [] : [`SET STORAGE ${column.storage}`]),
    ...(column.compression === null ? [] : [`SET COMPRESSION ${column.compression}`]),
    ...(column.statistics === null ? [] : [`SET STATISTICS ${column.statistics}`]),
    ...(column.options === null ? [] : [`SET (${column.options})`]),
  ];
}
