/** Everything that moves in a workspace, from now on. */
import type { Mailbox } from './mailbox.ts';
import { isFinished } from './persisted-events.ts';
import type { RecordEvent } from './record-event.ts';
import { type FollowParts, type Push, subscription } from './subscription.ts';

class WorkspaceFollower {
  readonly #parts: FollowParts;
  readonly #workspaceId: string;
  readonly #mailbox: Mailbox;
  readonly #push: Push;
  /** Of each record that was delivered and has not finished: the sequence number of its last state event. */
  readonly #last = new Map<string, number>();

  constructor(parts: FollowParts, workspaceId: string, mailbox: Mailbox, push: Push) {
    this.#parts = parts;
    this.#workspaceId = workspaceId;
    this.#mailbox = mailbox;
    this.#push = push;
  }

  async run(): Promise<void> {
    await this.#showRunning();
    while (!this.#mailbox.closed) {
      if (this.#mailbox.takeOverflow()) {
        await this.#showEnded();
        await this.#showRunning();
        continue;
      }
      const event = this.#mailbox.take();
      if (event === undefined) await this.#mailbox.arrival();
      else await this.#take(event);
    }
  }

  async #showRunning(): Promise<void> {
    for (const record of await this.#parts.records.running(this.#workspaceId)) {
      if (this.#mailbox.closed) return;
      const sequence = record.lastSequence;
      await this.#deliver({ type: 'RECORD_SNAPSHOT', sequence, occurredAt: new Date(), record });
    }
  }

  /** After events were forgotten: records that ended meanwhile must not seem to run for ever. */
  async #showEnded(): Promise<void> {
    for (const recordId of [...this.#last.keys()]) {
      const record = await this.#parts.records.find(this.#workspaceId, recordId);
      if (this.#mailbox.closed) return;
      if (record === undefined) {
        this.#last.delete(recordId);
      } else if (isFinished(record)) {
        const occurredAt = record.finishedAt ?? new Date();
        await this.#deliver({ type: 'RECORD_FINISHED', sequence: record.lastSequence, occurredAt, record });
      }
    }
  }

  async #take(event: RecordEvent): Promise<void> {
    const last = this.#last.get(event.record.id);
    const isTick = event.type === 'PHASE_PROGRESSED';
    const isOld = last !== undefined && (isTick ? event.sequence < last : event.sequence <= last);
    if (!isOld) await this.#deliver(event);
  }

  async #deliver(event: RecordEvent): Promise<void> {
    if (event.type === 'RECORD_FINISHED') this.#last.delete(event.record.id);
    else this.#last.set(event.record.id, event.sequence);
    await this.#push(event);
  }
}

/**
 * Follows a workspace: a snapshot of each running record, then live events of every record. There is no replay;
 * a subscriber too slow for its mailbox is shown again what runs, and what ended meanwhile. Never ends by itself.
 *
 * Nothing listens before the first `next()`, and nothing after `return()` or the signal.
 */
export function followWorkspace(
  parts: FollowParts,
  workspaceId: string,
  signal?: AbortSignal,
): AsyncIterableIterator<RecordEvent> {
  return subscription(
    (deliver) => parts.source.listen(workspaceId, undefined, deliver),
    (mailbox, push) => new WorkspaceFollower(parts, workspaceId, mailbox, push).run(),
    signal,
  );
}
