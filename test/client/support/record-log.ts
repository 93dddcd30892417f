/** The history of one record as a server tells it: state events with numbers of their own, ticks between them. */
import { EventEmitter } from 'node:events';
import { Repeater } from '@repeaterjs/repeater';

interface LoggedEvent {
  readonly __typename: string;
  readonly sequence: number;
  readonly occurredAt: string;
  readonly record: object;
  readonly phase?: object;
}

const NOW = '2026-01-31T12:00:00.000Z';
const PROGRESS = {
  fraction: 0.5,
  bytes: '1',
  rows: '1',
  files: '0',
  bytesPerSecond: 1,
  etaSeconds: 1,
  currentItem: null,
};
const PHASE = {
  index: 0,
  name: 'TABLES',
  status: 'RUNNING',
  startedAt: NOW,
  finishedAt: null,
  progress: PROGRESS,
};

/** One record that a test drives. */
export class RecordLog {
  readonly #id: string;
  readonly #events: LoggedEvent[] = [];
  readonly #live = new EventEmitter().setMaxListeners(0);
  #status = 'RUNNING';
  /** The `afterSequence` of every subscription so far. */
  readonly asked: (number | null)[] = [];

  constructor(id: string) {
    this.#id = id;
  }

  get record() {
    return {
      id: this.#id,
      kind: 'CREATE',
      status: this.#status,
      trigger: 'MANUAL',
      requestedBy: 'owner',
      queuedAt: NOW,
      startedAt: NOW,
      finishedAt: null,
      lastSequence: this.#events.length,
      warnings: [],
      progress: PROGRESS,
      phases: [],
      error: null,
    };
  }

  /** How many subscribers listen now. */
  get listening(): number {
    return this.#live.listenerCount('event');
  }

  /** A state event; the last one ends the record. */
  state(last = false): void {
    if (last) this.#status = 'SUCCEEDED';
    const sequence = this.#events.length + 1;
    const event = last ? this.#event('RecordFinished', sequence) : this.#event('PhaseStarted', sequence);
    this.#events.push(event);
    this.#live.emit('event', event);
  }

  /** A progress tick. */
  tick(): void {
    this.#live.emit('event', this.#event('PhaseProgressed', this.#events.length));
  }

  #event(type: string, sequence: number): LoggedEvent {
    return {
      __typename: type,
      sequence,
      occurredAt: NOW,
      record: { ...this.record, lastSequence: sequence },
      ...(type.startsWith('Phase') ? { phase: PHASE } : {}),
    };
  }

  follow(afterSequence: number | null): AsyncIterable<LoggedEvent> {
    this.asked.push(afterSequence);
    const newest = this.#events.length;
    const after = Math.min(afterSequence ?? newest, newest);
    return new Repeater<LoggedEvent>(async (push, stop) => {
      const tell = (event: LoggedEvent): void => {
        // A consumer that has gone rejects what is still pushed to it.
        void Promise.resolve(push(event)).catch(() => {});
        if (event.__typename === 'RecordFinished') stop();
      };
      this.#live.on('event', tell);
      void stop.then(() => this.#live.off('event', tell));
      const told = afterSequence === null && this.#status !== 'RUNNING' ? newest - 1 : after;
      tell(this.#event('RecordSnapshot', after));
      for (const event of this.#events.slice(told)) tell(event);
      if (this.#status !== 'RUNNING') stop();
      await stop;
    });
  }
}
