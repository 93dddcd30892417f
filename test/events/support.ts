/** A record that works: writes to a real catalog and publishes, as the engine does. */
import { expect } from 'vitest';
import {
  NO_PROGRESS,
  type PhaseState,
  type RecordChange,
  type RecordEventType,
  type RecordRow,
} from '../../src/catalog/catalog.ts';
import { toRecordEvent } from '../../src/events/persisted-events.ts';
import type { RecordEvent, RecordEventPublisher } from '../../src/events/record-event.ts';
import { aRecord, type TestCatalog } from '../catalog/support.ts';

const OWNER = 'host/1/1';

export function aPhase(index: number, rows = 0): PhaseState {
  return {
    index,
    name: 'TABLES',
    status: 'RUNNING',
    startedAt: '2026-01-02T03:04:05.000Z',
    finishedAt: null,
    progress: { ...NO_PROGRESS, rows },
  };
}

export class Work {
  readonly #catalog: TestCatalog;
  readonly #publisher: RecordEventPublisher;
  record: RecordRow;

  private constructor(catalog: TestCatalog, publisher: RecordEventPublisher, record: RecordRow) {
    this.#catalog = catalog;
    this.#publisher = publisher;
    this.record = record;
  }

  /** A running record, with two events behind it. */
  static async begin(catalog: TestCatalog, publisher: RecordEventPublisher, workspaceId = catalog.ours) {
    const { records } = catalog.catalog;
    const record = await records.create(aRecord(workspaceId));
    await records.claim(record.id, OWNER, new Date(Date.now() + 600_000));
    const work = new Work(catalog, publisher, record);
    await work.state('RECORD_CHANGED', null, { status: 'RUNNING' });
    return work;
  }

  /** Persists a state event; returns the function that publishes it. */
  async persist(type: RecordEventType, phase: PhaseState | null = null, change: RecordChange = {}) {
    const { records } = this.#catalog.catalog;
    const { record, event } = await records.append(this.record.id, OWNER, change, { type, phase });
    this.record = record;
    return () => this.#publisher.publish(toRecordEvent(event, record));
  }

  async state(type: RecordEventType, phase: PhaseState | null = null, change: RecordChange = {}) {
    const publish = await this.persist(type, phase, change);
    publish();
  }

  finish(): Promise<void> {
    return this.state('RECORD_FINISHED', null, { status: 'SUCCEEDED', finishedAt: new Date() });
  }

  tick(phase: PhaseState, sequence = this.record.lastSequence): void {
    const { record } = this;
    this.#publisher.publish({ type: 'PHASE_PROGRESSED', sequence, occurredAt: new Date(), record, phase });
  }
}

/** The next event; fails the test when there is none. */
export async function next(events: AsyncIterator<RecordEvent>): Promise<RecordEvent> {
  const { value, done } = await events.next();
  expect(done).toBeFalsy();
  return value;
}

/** Reads to the end. */
export async function rest(events: AsyncIterable<RecordEvent>): Promise<RecordEvent[]> {
  const all: RecordEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Type and sequence number, for comparing. */
export function brief(event: RecordEvent): string {
  return `${event.sequence} ${event.type}`;
}

export function states(events: readonly RecordEvent[]): string[] {
  return events.filter((event) => event.type !== 'PHASE_PROGRESSED').map(brief);
}
