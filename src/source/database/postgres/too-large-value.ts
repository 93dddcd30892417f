/** Finds the column whose value is too large for PostgreSQL to write as text, which its own error does not tell. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { LiveTable } from './live-table.ts';
import { onlyList } from './live-table.ts';
import { quoteName, tableLabel } from './quote.ts';
import type { PostgresSession } from './session.ts';

/**
 * The error to tell for `error`, which ended the reading of `live`: itself unless a row was too large. Ends the
 * open transaction then.
 */
export async function namingTooLargeValue(
  session: PostgresSession,
  error: unknown,
  live: LiveTable | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  if (live === undefined || !isTooLarge(error)) return error;
  const columns = live.columns.filter((column) => !column.generated);
  try {
    await session.execute('ROLLBACK', signal);
    await session.execute('BEGIN READ ONLY', signal);
    const sizes: { name: string; bytes: number }[] = [];
    for (const column of columns) {
      const value = `t.${quoteName(column.name)}`;
      // Both are told without fetching the value. Of other types only what it takes on disk is.
      const size =
        column.writing === 'BYTES'
          ? `2 * pg_catalog.octet_length(${value})::int8`
          : column.writing === 'TEXT'
            ? `pg_catalog.octet_length(${value})::int8`
            : `pg_catalog.pg_column_size(${value})::int8`;
      const [row] = await session.query<{ bytes: number | null }>(
        `SELECT pg_catalog.max(${size})::float8 AS bytes FROM ${onlyList([live.table])} AS t`,
        [],
        signal,
      );
      sizes.push({ name: column.name, bytes: row?.bytes ?? 0 });
    }
    const largest = sizes.reduce((most, size) => (size.bytes > most.bytes ? size : most));
    return new HoldfastError(
      'SOURCE_UNREACHABLE',
      `Table ${tableLabel(live.table)} holds a row that PostgreSQL cannot write as text, which ends at 1 GB; the largest values are in column "${largest.name}".`,
      { hint: 'Split the value, move it to a large object, or exclude the table.', cause: error },
    );
  } catch {
    return error;
  }
}

function isTooLarge(error: unknown): boolean {
  return (
    error instanceof DatabaseError &&
    (error.code === '54000' || (error.code === 'XX000' && /invalid memory alloc request/.test(error.message)))
  );
}
