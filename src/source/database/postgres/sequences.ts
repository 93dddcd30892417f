/** Reading sequences, and setting them so that a rollback takes it back. */
import { HoldfastError } from '../../../errors.ts';
import type { SequenceState } from '../../source.ts';
import { SEQUENCES, type SequenceRow } from './catalog-queries.ts';
import { quoteTable, quoteText, tableKey, tableLabel } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** Sequences asked in one statement. */
const BATCH = 200;

/** The states of sequences owned by the tables with the given catalog ids, and of those nobody owns. */
export async function readSequenceStates(
  session: PostgresSession,
  owners: readonly string[],
  signal: AbortSignal,
): Promise<SequenceState[]> {
  const wanted = new Set(owners);
  const sequences = (await session.query<SequenceRow>(SEQUENCES, [], signal)).filter(
    (sequence) => sequence.owners === null || sequence.owners.some((owner) => wanted.has(owner)),
  );
  const states: SequenceState[] = [];
  for (let start = 0; start < sequences.length; start += BATCH) {
    const batch = sequences.slice(start, start + BATCH);
    const statement = batch
      .map(
        (sequence, n) =>
          `SELECT ${n} AS n, last_value::text AS last, is_called AS called FROM ${quoteTable(sequence)}`,
      )
      .join(' UNION ALL ');
    const rows = await session.query<{ n: number; last: string; called: boolean }>(statement, [], signal);
    const byNumber = new Map(rows.map((row) => [row.n, row]));
    batch.forEach((sequence, n) => {
      const row = byNumber.get(n);
      if (row === undefined) return;
      states.push({
        schema: sequence.schema,
        name: sequence.name,
        lastValue: row.last,
        isCalled: row.called,
      });
    });
  }
  return states;
}

/**
 * Sets sequences within the open transaction. ALTER SEQUENCE … RESTART gives the sequence a new file that only
 * this transaction sees, so that the setval after it (alone it would be at once and for good) is undone too.
 */
export async function setSequences(
  session: PostgresSession,
  states: readonly SequenceState[],
  signal: AbortSignal,
): Promise<void> {
  if (states.length === 0) return;
  const present = new Set(
    (await session.query<SequenceRow>(SEQUENCES, [], signal)).map((row) => tableKey(row)),
  );
  for (const state of states) {
    if (!/^-?\d+$/.test(state.lastValue)) {
      throw new HoldfastError(
        'INVALID_MANIFEST',
        `The value of sequence ${tableLabel(state)} is no integer.`,
      );
    }
    if (!present.has(tableKey(state))) {
      throw new HoldfastError('SCHEMA_MISMATCH', `The database has no sequence ${tableLabel(state)}.`, {
        hint: 'It was dropped or renamed since the backup; create it again, or restore other tables only.',
      });
    }
    const sequence = quoteTable(state);
    await session.execute(
      `ALTER SEQUENCE ${sequence} RESTART WITH ${state.lastValue};
       SELECT pg_catalog.setval(${quoteText(sequence)}, ${state.lastValue}, ${state.isCalled})`,
      signal,
    );
  }
}
