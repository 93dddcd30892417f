/**
 * What subscribers receive. State events carry their own sequence number and are persisted before they are
 * published; progress ticks carry the number of the last state event and are lost when nobody listens.
 */
import type { PhaseState, RecordRow } from '../catalog/catalog.ts';

/** An event as it is delivered. `record` is the record as it stood when the event was published or read. */
export type RecordEvent = {
  readonly sequence: number;
  readonly occurredAt: Date;
  readonly record: RecordRow;
} & (
  | { readonly type: 'RECORD_SNAPSHOT' }
  | { readonly type: 'PHASE_STARTED' | 'PHASE_PROGRESSED' | 'PHASE_FINISHED'; readonly phase: PhaseState }
  | { readonly type: 'RECORD_FINISHED' }
);

/** Publishes to everyone who listens, at once and without ever waiting for a listener. */
export interface RecordEventPublisher {
  publish(event: RecordEvent): void;
}

/** Lets somebody listen. */
export interface RecordEventSource {
  /**
   * Calls `deliver` for each event of a workspace from now on, or of one record when `recordId` is given.
   * `deliver` must not throw and must return at once. Returns the function that stops it.
   */
  listen(
    workspaceId: string,
    recordId: string | undefined,
    deliver: (event: RecordEvent) => void,
  ): () => void;
}
