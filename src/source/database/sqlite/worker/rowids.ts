/**
 * Rowids that nobody named. Applications and full-text indexes point to them, so they are carried: a row line says
 * `"$rowid"` first where the rowid is not the one that a row inserted last would get, one more than the largest.
 */
import { MalformedRow } from './malformed-row.ts';
import { exactFields, type Fields } from './read-lines.ts';
import { foldName, quoteName } from './sql-names.ts';
import type { TableLayout } from './table-layout.ts';

/** The name of the rowid in row lines with these columns: one that none of them has. */
export function rowidField(columns: readonly string[]): string {
  let field = '$rowid';
  while (columns.some((column) => foldName(column) === field)) field += '_';
  return field;
}

/** The rowid by a name that no column has; undefined when there is no such name, or no rowid. */
export function rowidName({ withoutRowid, columns }: TableLayout): string | undefined {
  if (withoutRowid) return undefined;
  const taken = new Set(columns.map((column) => foldName(column.name)));
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
}

/** The name of a rowid that travels, since it is no column. */
export function carriedRowid(layout: TableLayout): string | undefined {
  return layout.rowidAlias === undefined ? rowidName(layout) : undefined;
}

/** SQL for the rowid of a row of `this` where it has to be said, else NULL. */
export function saidRowid(layout: TableLayout, rowid: string): string {
  return `iif(this.${rowid} = 1 + coalesce((SELECT max(earlier.${rowid}) FROM main.${quoteName(layout.name)} AS earlier
    WHERE earlier.${rowid} < this.${rowid}), 0), NULL, this.${rowid})`;
}

/**
 * The rowid that a row says.
 *
 * @param line - the row as it is written; undefined when the fields are exact
 * @throws MalformedRow when it is none
 */
export function rowidIn(fields: Fields, field: string, line: string | undefined): bigint {
  const said =
    typeof fields[field] === 'number' && line !== undefined ? exactFields(line)[field] : fields[field];
  if (typeof said === 'bigint') return said;
  throw new MalformedRow('its rowid is no integer');
}
