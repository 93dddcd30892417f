/** One record, followed from any point of its history to its end. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Mailbox } from './mailbox.ts';
import { isFinished, toRecordEvent } from './persisted-events.ts';
import type { RecordEvent } from './record-event.ts';
import { type FollowParts, type Push, subscription } from './subscription.ts';

async function requireRecord(parts: FollowParts, workspaceId: string, recordId: string): Promise<RecordRow> {
  const record = await parts.records.find(workspaceId, recordId);
  if (record === undefined) throw new HoldfastError('NOT_FOUND', `There is no record ${recordId}.`);
  return record;
}

/** Delivers one record to one subscriber: remembers how far it got, and reads what it missed. */
class RecordFollower {
  readonly #parts: FollowParts;
  readonly #workspaceId: string;
  readonly #recordId: string;
  readonly #mailbox: Mailbox;
  readonly #push: Push;
  /** Sequence number of the last state event that was delivered. */
  #last = 0;
  #ended = false;

  constructor(parts: FollowParts, workspaceId: string, recordId: string, mailbox: Mailbox, push: Push) {
    this.#parts = parts;
    this.#workspaceId = workspaceId;
    this.#recordId = recordId;
    this.#mailbox = mailbox;
    this.#push = push;
  }

  async run(afterSequence: number | null): Promise<void> {
    await this.#start(afterSequence);
    while (!this.#over) {
      if (this.#mailbox.takeOverflow()) {
        await this.#catchUp();
        continue;
      }
      const event = this.#mailbox.take();
      if (event === undefined) await this.#mailbox.arrival();
      else await this.#take(event);
    }
  }

  get #over(): boolean {
    return this.#ended || this.#mailbox.closed;
  }

  async #start(afterSequence: number | null): Promise<void> {
    const record = await requireRecord(this.#parts, this.#workspaceId, this.#recordId);
    const { lastSequence } = record;
    const asked = Math.min(Math.max(afterSequence ?? lastSequence, 0), lastSequence);
    await this.#push({ type: 'RECORD_SNAPSHOT', sequence: asked, occurredAt: new Date(), record });
    // A new subscriber of a finished record is told the end; one that has it already is not.
    this.#last = afterSequence === null && isFinished(record) ? lastSequence - 1 : asked;
    if (isFinished(record) && this.#last === lastSequence) this.#ended = true;
    if (!this.#over) await this.#catchUp();
  }

  /** Delivers the persisted events above the last delivered one. */
  async #catchUp(): Promise<void> {
    const rows = await this.#parts.records.eventsAfter(this.#recordId, this.#last);
    if (rows.length === 0) return;
    // Read after the events, so that it is never older than they are.
    const record = await requireRecord(this.#parts, this.#workspaceId, this.#recordId);
    for (const row of rows) {
      if (this.#over) return;
      await this.#deliver(toRecordEvent(row, record));
    }
  }

  /** A live event. What it shows to be missing is read first: events are persisted before they are published. */
  async #take(event: RecordEvent): Promise<void> {
    const isTick = event.type === 'PHASE_PROGRESSED';
    if (event.sequence > this.#last + (isTick ? 0 : 1)) await this.#catchUp();
    if (this.#over) return;
    if (isTick ? event.sequence >= this.#last : event.sequence > this.#last) await this.#deliver(event);
  }

  async #deliver(event: RecordEvent): Promise<void> {
    this.#last = event.sequence;
    if (event.type === 'RECORD_FINISHED') this.#ended = true;
    await this.#push(event);
  }
}

/**
 * Follows a record: a snapshot, then every state event above `afterSequence` in order, once and without a gap,
 * with the newest progress between them; ends after RECORD_FINISHED. Pass the sequence number of the last event
 * received to go on after a reconnect, null for the first time. Numbers beyond the newest event count as it.
 *
 * Nothing listens before the first `next()`, and nothing after `return()` or the signal.
 *
 * @throws HoldfastError NOT_FOUND when the workspace has no such record.
 */
export async function followRecord(
  parts: FollowParts,
  workspaceId: string,
  recordId: string,
  afterSequence: number | null,
  signal?: AbortSignal,
): Promise<AsyncIterableIterator<RecordEvent>> {
  // Before the stream begins: an error in its midst would end the subscriber's whole connection.
  await requireRecord(parts, workspaceId, recordId);
  return subscription(
    (deliver) => parts.source.listen(workspaceId, recordId, deliver),
    (mailbox, push) => new RecordFollower(parts, workspaceId, recordId, mailbox, push).run(afterSequence),
    signal,
  );
}
