/** Looks for rows that point to nothing. */
import { HoldfastError } from '../../../errors.ts';
import type { KeyDefinition } from './create-statement.ts';
import { quoteName, type RestoreNames } from './names.ts';
import { statementRefusal } from './refusal.ts';
import type { MariadbSession } from './session.ts';

/** A key to check, and under which (quoted) names its tables stand now. */
export interface KeyCheck {
  readonly key: KeyDefinition;
  /** As people know the table. */
  readonly label: string;
  readonly child: string;
  readonly parent: string;
}

/**
 * Makes the key on an empty table like the child's: once the tables are swapped it would be too late to find that
 * the types of its columns differ, or that the other table has no index for it.
 * @throws HoldfastError SCHEMA_MISMATCH, naming the table and the key, when it cannot be made.
 */
export async function tryKey(
  session: MariadbSession,
  names: RestoreNames,
  { key, label, child, parent }: KeyCheck,
  signal: AbortSignal,
): Promise<void> {
  const trial = quoteName(names.trial);
  const [columns, referenced] = [key.columns, key.referencedColumns].map((list) =>
    list.map(quoteName).join(', '),
  );
  try {
    await session.execute(`CREATE OR REPLACE TABLE ${trial} LIKE ${child}`, signal);
    await session.execute(
      `ALTER TABLE ${trial} ADD FOREIGN KEY (${columns}) REFERENCES ${parent} (${referenced}) ${key.actions}`,
      signal,
    );
    await session.execute(`DROP TABLE ${trial}`, signal);
  } catch (error) {
    throw statementRefusal(error, { restoring: true, object: `foreign key ${key.name} of table ${label}` });
  }
}

/** @throws HoldfastError SCHEMA_MISMATCH, naming the table and the key, when a row points to nothing. */
export async function checkKey(session: MariadbSession, check: KeyCheck, signal: AbortSignal): Promise<void> {
  const { key } = check;
  const pairs = key.columns.map(
    (column, n) => `p.${quoteName(key.referencedColumns[n] ?? '')} = c.${quoteName(column)}`,
  );
  const present = key.columns.map((column) => `c.${quoteName(column)} IS NOT NULL`);
  const rows = await session.query(
    `SELECT 1 FROM ${check.child} AS c WHERE ${present.join(' AND ')}
        AND NOT EXISTS (SELECT 1 FROM ${check.parent} AS p WHERE ${pairs.join(' AND ')}) LIMIT 1`,
    signal,
  );
  if (rows.length === 0) return;
  throw new HoldfastError(
    'SCHEMA_MISMATCH',
    `Rows of table ${check.label} would point to nothing: foreign key ${key.name} to table ${key.table} is broken.`,
    { hint: 'Restore the tables that belong together.' },
  );
}
