/** cancelRecord: stops a record that waits or runs, wherever that is. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { toRecordEvent } from '../events/persisted-events.ts';
import { canceledOnRequest } from './lease.ts';
import type { EngineParts } from './parts.ts';
import type { RecordRunner } from './record-runner.ts';

/** Asks for cancellation, in the catalog first, then in this process; another that runs it looks when it renews. */
export async function cancelRecord(
  parts: EngineParts,
  runner: RecordRunner,
  workspaceId: string,
  recordId: string,
): Promise<RecordRow> {
  const asked = await parts.catalog.records.requestCancel(workspaceId, recordId);
  if (asked === undefined) throw new HoldfastError('NOT_FOUND', 'There is no such record in this workspace.');
  if (asked.event !== undefined) {
    parts.events.publish(toRecordEvent(asked.event, asked.record));
    runner.abort(recordId, canceledOnRequest());
  }
  return asked.record;
}
