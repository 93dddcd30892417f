/** What the two ways of receiving events, WebSocket and SSE, have in common. */
import type { RecordProgressSubscription, WorkspaceEventsSubscription } from './generated/graphql.ts';
import { errorFrom, type GraphQLResponse, isObject } from './graphql-response.ts';

/** Something that happened to a record. */
export type RecordEvent = RecordProgressSubscription['recordProgress'];

/** A subscription as it is sent to the server. */
export interface EventSubscription {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The root field, whose values are the events. */
  readonly field: keyof RecordProgressSubscription | keyof WorkspaceEventsSubscription;
}

/**
 * Subscribes over one connection. Ends when the server completes the subscription; throws a
 * HoldfastRequestError when it refuses or the connection breaks, and the signal's reason when that is aborted.
 * `connected` is called once the server has accepted the connection.
 */
export type EventTransport = (
  subscription: EventSubscription,
  signal: AbortSignal,
  connected: () => void,
) => AsyncIterable<RecordEvent>;

/**
 * The event in one answer to a subscription.
 * @throws {HoldfastRequestError} when the answer is an error.
 */
export function eventIn(response: GraphQLResponse, field: EventSubscription['field']): RecordEvent {
  if (response.errors !== undefined) throw errorFrom(response.errors);
  const event = isObject(response.data) ? response.data[field] : undefined;
  if (!isObject(event)) throw errorFrom([]);
  // The server executed the subscription the type was generated from.
  return event as RecordEvent;
}

/** Whether a waiting event says nothing that the newer one does not say better. */
export function supersedes(newer: RecordEvent, older: RecordEvent): boolean {
  return (
    newer.__typename === 'PhaseProgressed' &&
    older.__typename === 'PhaseProgressed' &&
    newer.record.id === older.record.id
  );
}
