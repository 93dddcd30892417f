/**
 * Triggers that refuse writes. A session that waited for a table lock would otherwise write into the old table in
 * the moment between the lock and the swap, or into the new one before its keys and triggers are back; nobody would
 * ever see those rows. The guard makes them errors that the application sees.
 */
import { quoteName, type RestoreNames } from './names.ts';
import type { MariadbSession } from './session.ts';

const EVENTS = ['INSERT', 'UPDATE', 'DELETE'] as const;

/** Puts guards on one table. `n` numbers them and is used for one table only. */
export async function guardTable(
  session: MariadbSession,
  names: RestoreNames,
  table: string,
  n: number,
  signal: AbortSignal,
): Promise<void> {
  for (const event of EVENTS) {
    await session.execute(
      `CREATE TRIGGER ${quoteName(names.guard(n, event))} BEFORE ${event} ON ${quoteName(table)} FOR EACH ROW
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'This table is being restored by Holdfast; try again in a moment'`,
      signal,
    );
  }
}
