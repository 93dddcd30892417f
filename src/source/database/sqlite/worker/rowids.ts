/**
 * Rowids that nobody named. Applications and full-text indexes point to them, so they are carried: a row line says
 * `"$rowid"` first where the rowid is not the one that a row inserted last would get, one more than the largest.
 */
import { MalformedRow } from './malformed-row.ts';
import { exactFields } from './read-lines.ts';
import { foldName, quoteName } from './sql-names.ts';
import type { TableLayout } from './table-layout.ts';

/** The name of the rowid in a row line. */
export const ROWID_FIELD = '$rowid';

/** The rowid by a name that no column has; undefined when there is no such name, or no rowid. */
export function rowidName({ withoutRowid, columns }: TableLayout): string | undefined {
  if (withoutRowid) return undefined;
  const taken = new Set(columns.map((column) => foldName(column.name)));
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
}

/** The name of a rowid that travels: one that is no column, in a table where its field is none either. */
export function carriedRowid(layout: TableLayout): string | undefined {
  if (layout.rowidAlias !== undefined) return undefined;
  if (layout.columns.some((column) => foldName(column.name) === ROWID_FIELD)) return undefined;
  return rowidName(layout);
}

/** SQL for the rowid of a row of `this` where it has to be said, else NULL. */
export function saidRowid(layout: TableLayout, rowid: string): string {
  return `iif(this.${rowid} = 1 + coalesce((SELECT max(earlier.${rowid}) FROM main.${quoteName(layout.name)} AS earlier
    WHERE earlier.${rowid} < this.${rowid}), 0), NULL, this.${rowid})`;
}

/**
 * The rowid of a field.
 *
 * @param line - the row as it is written; undefined when the field is exact
 * @throws MalformedRow when it is none
 */
export function rowidIn(field: unknown, line: string | undefined): bigint {
  const exact = typeof field === 'number' && line !== undefined ? exactFields(line)[ROWID_FIELD] : field;
  if (typeof exact === 'bigint') return exact;
  throw new MalformedRow('its rowid is no integer');
}
