/** One table of a restore: which of its columns go in, and what its rows must come to. */
import type { ManifestTable } from '../bundle/manifest.ts';
import type { ClearedColumns, TableToRestore } from '../source/source.ts';
import type { RowProjection } from './row-projector.ts';
import type { Adaptation } from './schema-drift.ts';
import { tableKey } from './table-order.ts';

/** A table, and how its rows get from the bundle into the database. */
export interface RestoredTable {
  readonly bundled: ManifestTable;
  /** As the database is told of it. */
  readonly target: TableToRestore;
  /** From the bundle's rows to those that are loaded; undefined when they are the same. */
  readonly loading: RowProjection | undefined;
  /**
   * From the rows that are loaded to those whose digest is expected, and the other way to read them back; undefined
   * when that is the digest in the bundle.
   */
  readonly proving: { readonly expected: RowProjection; readonly found: RowProjection } | undefined;
}

/** Works out what happens to the rows of a table. */
export function restoredTable(
  bundled: ManifestTable,
  adaptation: Adaptation | undefined,
  clearedColumns: readonly ClearedColumns[],
): RestoredTable {
  const skipped = new Set(adaptation?.skipped ?? []);
  const cleared = new Set(
    clearedColumns
      .filter(({ table }) => tableKey(table) === tableKey(bundled))
      .flatMap(({ columns }) => columns),
  );
  const retyped = adaptation?.retyped === true;
  const reshaped = adaptation?.reshaped === true;
  const asIs = cleared.size === 0 && !reshaped;
  const columns = bundled.columns.map((column) => column.name).filter((name) => !skipped.has(name));
  const seen = reshaped
    ? { only: new Set(columns), asText: retyped, numbers: new Set(adaptation?.numbers) }
    : {};
  return {
    bundled,
    target: { schema: bundled.schema, name: bundled.name, columns },
    loading: skipped.size === 0 ? undefined : { skipped },
    proving: asIs ? undefined : { expected: { cleared, ...seen }, found: seen },
  };
}
