/** AUTO_INCREMENT counters and sequence objects. */
import { HoldfastError } from '../../../errors.ts';
import type { SequenceState, TableName } from '../../source.ts';
import type { Found } from './describe.ts';
import { quoteName, tableKey } from './names.ts';
import type { MariadbSession } from './session.ts';

/** The counters of `tables`, and the sequence objects, which belong to none. */
export async function readSequences(
  session: MariadbSession,
  found: Found,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly SequenceState[]> {
  const states: SequenceState[] = [];
  for (const table of tables) {
    const counter = found.tables.get(tableKey(table))?.counter;
    if (typeof counter === 'string')
      states.push({ schema: null, name: table.name, lastValue: counter, isCalled: false });
  }
  for (const name of found.sequences) {
    // Numbers that the server has taken into its cache count as given out, as after a restart of it.
    const [row] = await session.query(`SELECT next_not_cached_value FROM ${quoteName(name)}`, signal);
    states.push({ schema: null, name, lastValue: row?.[0] ?? '1', isCalled: false });
  }
  return states;
}

/** The statement that sets a sequence object. */
export function restartSequence(state: SequenceState): string {
  return `ALTER SEQUENCE ${quoteName(state.name)} RESTART WITH ${wholeNumber(state)}`;
}

/** The statement that sets the counter of a table, which stands under another name. */
export function setCounter(state: SequenceState, table: string): string {
  return `ALTER TABLE ${table} AUTO_INCREMENT = ${wholeNumber(state)}`;
}

/** The next value of a state; it goes into SQL text. */
function wholeNumber(state: SequenceState): string {
  if (!/^-?\d+$/.test(state.lastValue)) {
    throw new HoldfastError('INVALID_MANIFEST', `The value of sequence ${state.name} is not a whole number.`);
  }
  return state.isCalled ? String(BigInt(state.lastValue) + 1n) : state.lastValue;
}
