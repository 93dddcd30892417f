/** A table as the catalog shows it, with what exporting its rows takes. */
import type { Column, Table, TableName } from '../../source.ts';
import { quoteTable } from './quote.ts';

/**
 * What the text of a type's values can hold, which decides how it goes into JSON. INTEGER, NUMBER_OR_NAN and
 * NUMBER_OR_WORD (NaN and the infinities) are numbers; SHORT_WORD, WORD and BYTES have nothing to be escaped, but
 * for the backslash that bytes begin with; TEXT is a string type, OTHER anything else.
 */
export type Writing =
  | 'BOOLEAN'
  | 'INTEGER'
  | 'NUMBER_OR_NAN'
  | 'NUMBER_OR_WORD'
  | 'SHORT_WORD'
  | 'WORD'
  | 'BYTES'
  | 'TEXT'
  | 'OTHER';

/** A column and how its value is written. */
export interface LiveColumn extends Column {
  readonly writing: Writing;
  /** The output function of the type, quoted and qualified. */
  readonly outputFunction: string;
  /** For a domain the type beneath it, quoted and qualified; else null. */
  readonly domainOf: string | null;
}

/** A table with its catalog id. */
export interface LiveTable {
  readonly oid: string;
  readonly table: Table;
  readonly columns: readonly LiveColumn[];
  /** The user may read it. */
  readonly readable: boolean;
  readonly rowSecurity: boolean;
}

/** The columns whose values are carried: all but generated ones. */
export function carriedColumns(live: LiveTable): readonly string[] {
  return live.columns.filter((column) => !column.generated).map((column) => column.name);
}

/** Comma-separated `ONLY` names, for LOCK and TRUNCATE. */
export function onlyList(tables: readonly TableName[]): string {
  return tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ');
}
