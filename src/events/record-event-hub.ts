/** Hands events from the engine to whoever listens in this process. */
import type { RecordEvent, RecordEventPublisher, RecordEventSource } from './record-event.ts';

type Deliver = (event: RecordEvent) => void;

function addTo(listeners: Map<string, Set<Deliver>>, key: string, deliver: Deliver): () => void {
  // One entry per call, so that listening twice with one function is stopped one by one.
  const entry: Deliver = (event) => deliver(event);
  const set = listeners.get(key) ?? new Set();
  listeners.set(key, set.add(entry));
  return () => {
    set.delete(entry);
    if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
  };
}

/** One per process. Publishing costs as much as there are listeners of that record and its workspace. */
export class RecordEventHub implements RecordEventPublisher, RecordEventSource {
  readonly #ofWorkspace = new Map<string, Set<Deliver>>();
  readonly #ofRecord = new Map<string, Set<Deliver>>();
  readonly #onFault: (error: unknown) => void;

  /** @param onFault Told of errors that listeners throw; the publisher never sees them. Must not throw. */
  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  publish(event: RecordEvent): void {
    const { workspaceId, id } = event.record;
    this.#deliver(this.#ofWorkspace.get(workspaceId), event);
    this.#deliver(this.#ofRecord.get(`${workspaceId}/${id}`), event);
  }

  listen(workspaceId: string, recordId: string | undefined, deliver: Deliver): () => void {
    return recordId === undefined
      ? addTo(this.#ofWorkspace, workspaceId, deliver)
      : addTo(this.#ofRecord, `${workspaceId}/${recordId}`, deliver);
  }

  /** How many listen now, for metrics. */
  get listenerCount(): number {
    let count = 0;
    for (const listeners of [this.#ofWorkspace, this.#ofRecord]) {
      for (const set of listeners.values()) count += set.size;
    }
    return count;
  }

  #deliver(listeners: ReadonlySet<Deliver> | undefined, event: RecordEvent): void {
    if (listeners === undefined) return;
    for (const deliver of listeners) {
      try {
        deliver(event);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }
}
