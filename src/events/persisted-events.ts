/** From what the catalog keeps of a record to what its subscribers receive. */
import type { PhaseState, RecordEventRow, RecordRow, RecordStatus } from '../catalog/catalog.ts';
import type { RecordEvent } from './record-event.ts';

const FINISHED: readonly RecordStatus[] = ['SUCCEEDED', 'FAILED', 'CANCELED'];

/** Whether nothing more can happen to the record. */
export function isFinished(record: RecordRow): boolean {
  return FINISHED.includes(record.status);
}

function phaseOf(row: RecordEventRow): PhaseState {
  if (row.phase !== null) return row.phase;
  throw new Error(`Event ${row.sequence} of record ${row.recordId} has lost its phase.`);
}

/** A persisted event in the form in which it is delivered, with the record as it stands now. */
export function toRecordEvent(row: RecordEventRow, record: RecordRow): RecordEvent {
  const { sequence, occurredAt } = row;
  switch (row.type) {
    case 'RECORD_CHANGED':
      return { type: 'RECORD_SNAPSHOT', sequence, occurredAt, record };
    case 'PHASE_STARTED':
    case 'PHASE_FINISHED':
      return { type: row.type, sequence, occurredAt, record, phase: phaseOf(row) };
    case 'RECORD_FINISHED':
      return { type: 'RECORD_FINISHED', sequence, occurredAt, record };
  }
}
