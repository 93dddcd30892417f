/** Keeps a script that no backup wrote from reaching beyond the database and the transaction of a restore. */
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaScript } from '../../../schema-script.ts';
import { SETTINGS } from './settings.ts';

/** How the statements of a script begin, in the exact words that the generator and PostgreSQL itself write. */
const KNOWN = [
  /^(?:CREATE|ALTER) (?!(?:OR REPLACE )?(?:ROLE|USER(?! MAPPING )|GROUP|DATABASE|TABLESPACE|SYSTEM|SUBSCRIPTION)\b)[A-Z]/,
  /^COMMENT ON (?!(?:ROLE|DATABASE|TABLESPACE|SUBSCRIPTION)\b)[A-Z]/,
  /^(?:GRANT|REVOKE) [A-Z]/,
  // What is done only where it can be: see conditional.ts.
  /^DO \$holdfast_*\$ BEGIN IF /,
  new RegExp(`^SET (?:${Object.keys(SETTINGS).join('|')}) = `),
];

/**
 * Looks at how each statement begins; that it is one only is for the server to see.
 * @throws HoldfastError INVALID_MANIFEST naming the object of a statement that no backup writes.
 */
export function checkStatements({ before, after }: SchemaScript): void {
  for (const { object, sql } of [...before, ...after]) {
    if (KNOWN.some((pattern) => pattern.test(sql))) continue;
    throw new HoldfastError(
      'INVALID_MANIFEST',
      `The schema of the bundle holds a statement that no backup of PostgreSQL writes: ${object}.`,
      {
        hint: 'The bundle was edited, and nothing was changed. Restore another backup, or the rows alone into a database that has the tables.',
      },
    );
  }
}
