/**
 * Numbers that an application keeps in the header of its database. They travel with the counters, since like those
 * they belong to no table, and a restore of single tables leaves them alone.
 */
import { HoldfastError } from '../../../../errors.ts';
import type { SequenceState } from '../../../source.ts';
import type { Connection } from './open-database.ts';

/** Takes the place of the schema that SQLite's counters have not. */
const HEADER = 'pragma';

const NAMES = ['application_id', 'user_version'] as const;

/** Their states, as counters of nobody's. */
export function headerValues(db: Connection): SequenceState[] {
  return NAMES.map((name) => ({
    schema: HEADER,
    name,
    lastValue: String(readHeaderValue(db, name)),
    isCalled: true,
  }));
}

/** One of them. */
export function readHeaderValue(db: Connection, name: (typeof NAMES)[number]): number {
  return Number(db.pragma(`main.${name}`, { simple: true }));
}

/** True for a state that {@link setHeaderValue} sets. */
export function isHeaderValue({ schema }: SequenceState): boolean {
  return schema === HEADER;
}

/** @throws HoldfastError INVALID_CHECKSUM when there is no such number, or it has more than 32 bits */
export function setHeaderValue(db: Connection, { name, lastValue }: SequenceState): void {
  const known = NAMES.find((candidate) => candidate === name);
  const value = Number(lastValue);
  if (known === undefined || !/^-?\d{1,10}$/.test(lastValue) || (value | 0) !== value) {
    throw new HoldfastError(
      'INVALID_CHECKSUM',
      `The bundle sets ${JSON.stringify(name)} to no number of SQLite.`,
      {
        hint: 'The bundle was changed after it was written; verify it, and restore another backup.',
      },
    );
  }
  db.pragma(`main.${known} = ${value}`);
}
