/** Follows a record to its end, drawing its progress. */
import type { HoldfastClient, RecordQuery } from '../sdk/index.ts';
import { ProgressBars } from './progress-bars.ts';

/** A record with its result. */
export type FinishedRecord = NonNullable<RecordQuery['record']>;

/**
 * Follows a record until it ends.
 * @throws {Error} when it does not succeed; the message says in which phase, why, and what to do
 */
export async function followToEnd(
  client: HoldfastClient,
  recordId: string,
  signal: AbortSignal,
): Promise<FinishedRecord> {
  const bars = new ProgressBars();
  try {
    for await (const event of client.followRecord(recordId, { signal })) bars.show(event);
  } finally {
    bars.end();
  }
  const record = await client.record(recordId, { signal });
  if (record === null) throw new Error('The record is gone.');
  if (record.status === 'SUCCEEDED') return record;
  const { phase, message, hint } = record.error ?? {
    phase: null,
    message: 'No reason is known.',
    hint: null,
  };
  const where = phase === null ? '' : ` in ${phase}`;
  throw new Error(`The record ended ${record.status}${where}: ${message}${hint === null ? '' : ` ${hint}`}`);
}
