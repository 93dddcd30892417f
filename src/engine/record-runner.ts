/**
 * Executes records: a fair queue, leases and locks kept alive while the work goes on, cancellation, and an end
 * that is always written. Knows nothing of what the records do; see execute.ts.
 */
import type { LockRow, RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { isFinished } from '../events/persisted-events.ts';
import { leaseUntil } from './lease.ts';
import type { EngineParts } from './parts.ts';
import { performRecord } from './perform-record.ts';
import { type HeldRecord, renewActive, renewWaiting, type WaitingRecord } from './renew-leases.ts';
import type { RequestSecrets } from './request-secrets.ts';
import type { RunningRecord } from './running-record.ts';

const RENEW_MS = 7_500;
/** How often a backup that waits for its source's lock tries again. */
const RETRY_MS = 500;
/** Records that run at the same time; more would only share the same disk and cores. */
const CONCURRENCY = 2;

/** Does what a record of some kind is for. Throws to fail it. */
export type ExecuteRecord = (record: RunningRecord, runner: RecordRunner) => Promise<void>;

interface Active extends HeldRecord {
  readonly done: Promise<void>;
}

/** Whether records of this kind work alone on their source. */
function needsLock(row: RecordRow): boolean {
  return row.sourceId !== null && (row.kind === 'CREATE' || row.kind === 'RESTORE');
}

export class RecordRunner {
  readonly #parts: EngineParts;
  readonly #execute: ExecuteRecord;
  readonly #active = new Map<string, Active>();
  #waiting: WaitingRecord[] = [];
  #pumping: Promise<void> | undefined;
  /** Something came while the queue was being served. */
  #pumpAgain = false;
  #stopped = false;
  readonly #renewal: NodeJS.Timeout;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: EngineParts, execute: ExecuteRecord) {
    this.#parts = parts;
    this.#execute = execute;
    this.#renewal = setInterval(() => void this.#renew(), RENEW_MS);
    this.#renewal.unref();
  }

  /**
   * Queues a record. `lock` when the caller has taken the source's lock for it already; `secrets` stay in memory
   * beside it until it ends.
   */
  submit(row: RecordRow, lock?: LockRow, secrets: RequestSecrets = {}): void {
    this.#waiting.push({ row, lock, secrets });
    void this.#pump();
  }

  /** Asks a record of this process to stop; false when it is not running here. */
  abort(recordId: string, reason: HoldfastError): boolean {
    const waiting = this.#waiting.find((candidate) => candidate.row.id === recordId);
    if (waiting !== undefined) void this.#forget(waiting);
    const active = this.#active.get(recordId);
    active?.controller.abort(reason);
    return active !== undefined;
  }

  /** Whether a record is queued or running in this process. */
  has(recordId: string): boolean {
    return this.#active.has(recordId) || this.#waiting.some((waiting) => waiting.row.id === recordId);
  }

  /**
   * Executes a record as a part of another, under the lock that one holds.
   * @returns the record as it ended; never throws for its failure
   */
  async runWithin(parent: RunningRecord, row: RecordRow): Promise<RecordRow> {
    if (
      !(await this.#parts.catalog.records.claim(row.id, this.#parts.identity.owner, leaseUntil(this.#parts)))
    ) {
      throw new HoldfastError('LOCK_LOST', 'Another server took over a part of this record.');
    }
    const controller = new AbortController();
    const follow = (): void => controller.abort(parent.signal.reason);
    parent.signal.addEventListener('abort', follow);
    if (parent.signal.aborted) follow();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#active.set(row.id, {
      workspaceId: row.workspaceId,
      kept: false,
      controller,
      lock: undefined,
      done,
    });
    try {
      return await this.#perform(row, controller.signal, {});
    } finally {
      parent.signal.removeEventListener('abort', follow);
      this.#active.delete(row.id);
      resolve();
    }
  }

  /** Whether a record waits here for its turn, or does its work; recovery's look at it does not count. */
  isExecuting(recordId: string): boolean {
    return this.has(recordId) && this.#active.get(recordId)?.kept !== true;
  }

  /**
   * Does recovery's work on a record as if it ran here: its lease is kept alive, and nobody else of this process
   * works on it meanwhile. Waits for who does.
   */
  async keeping(row: RecordRow, work: () => Promise<void>): Promise<void> {
    for (let other = this.#active.get(row.id); other !== undefined; other = this.#active.get(row.id)) {
      await other.done;
    }
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#active.set(row.id, {
      workspaceId: row.workspaceId,
      kept: true,
      controller: new AbortController(),
      lock: undefined,
      done,
    });
    try {
      await work();
    } finally {
      this.#active.delete(row.id);
      resolve();
      void this.#pump();
    }
  }

  /** Aborts everything, waits for it to be rolled back and written, and starts nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#pumping;
    const reason = new HoldfastError('CANCELED', 'The server was stopped while the record was running.', {
      hint: 'Start the operation again.',
    });
    for (const active of this.#active.values()) active.controller.abort(reason);
    await Promise.all([...this.#active.values()].map((active) => active.done));
    clearInterval(this.#renewal);
  }

  /** Starts whatever can start, oldest first. */
  async #pump(): Promise<void> {
    this.#pumpAgain = true;
    if (this.#pumping !== undefined) return;
    this.#pumping = this.#serve();
    await this.#pumping;
    this.#pumping = undefined;
    clearTimeout(this.#retry);
    if (this.#waiting.length > 0 && !this.#stopped)
      this.#retry = setTimeout(() => void this.#pump(), RETRY_MS);
  }

  async #serve(): Promise<void> {
    while (this.#pumpAgain) {
      this.#pumpAgain = false;
      for (const waiting of [...this.#waiting]) {
        if (this.#stopped || this.#active.size >= CONCURRENCY) return;
        // One that cannot start must not keep back those behind it.
        await this.#tryStart(waiting).catch((error: unknown) => {
          this.#parts.log.error(
            { err: error, recordId: waiting.row.id },
            'a record could not be started; it will be tried again',
          );
        });
      }
    }
  }

  /** Takes a record out of the queue, and gives back the lock it waited with. */
  async #forget(waiting: WaitingRecord): Promise<void> {
    this.#waiting = this.#waiting.filter((candidate) => candidate !== waiting);
    const { lock } = waiting;
    if (lock === undefined) return;
    try {
      await this.#parts.catalog.locks.release(lock.sourceId, lock.token);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'a lock could not be released; it will expire');
    }
  }

  /** The source's lock; undefined while the record has to wait for it. */
  async #lockFor(row: RecordRow, sourceId: string): Promise<LockRow | undefined> {
    const { records, locks } = this.#parts.catalog;
    // A restore whose end is not known yet may have left files and database on different sides.
    const unsettled = (await records.unfinished()).some(
      (other) => other.kind === 'RESTORE' && other.sourceId === sourceId && other.id !== row.id,
    );
    if (unsettled) return undefined;
    return await locks.acquire(sourceId, row.id, this.#parts.identity.owner, leaseUntil(this.#parts));
  }

  async #tryStart(waiting: WaitingRecord): Promise<void> {
    const { row } = waiting;
    const { records, locks } = this.#parts.catalog;
    const { owner } = this.#parts.identity;
    const lock =
      waiting.lock ??
      (needsLock(row) && row.sourceId !== null ? await this.#lockFor(row, row.sourceId) : undefined);
    if (needsLock(row) && lock === undefined) return;
    const claimed = await records.claim(row.id, owner, leaseUntil(this.#parts));
    this.#waiting = this.#waiting.filter((candidate) => candidate !== waiting);
    if (!claimed) {
      // Canceled while it waited, or taken by another server.
      if (lock !== undefined) await locks.release(lock.sourceId, lock.token);
      return;
    }
    const controller = new AbortController();
    const done = this.#perform(row, controller.signal, waiting.secrets)
      .catch((error: unknown): undefined => {
        this.#parts.log.error({ err: error, recordId: row.id }, 'the end of a record could not be written');
      })
      .then(async (ended) => {
        // A record left to recovery keeps its lock until that expires: nobody may touch the target before.
        // One whose end could not be written has been rolled back or settled before that.
        const undecided = ended !== undefined && !isFinished(ended);
        if (lock !== undefined && !undecided) await locks.release(lock.sourceId, lock.token);
      })
      .catch((error: unknown) => {
        this.#parts.log.error(
          { err: error, recordId: row.id },
          'a lock could not be released; it will expire',
        );
      })
      .finally(() => {
        this.#active.delete(row.id);
        void this.#pump();
      });
    this.#active.set(row.id, { workspaceId: row.workspaceId, kept: false, controller, lock, done });
  }

  async #perform(row: RecordRow, signal: AbortSignal, secrets: RequestSecrets): Promise<RecordRow> {
    return await performRecord(this.#parts, row, signal, secrets, (record) => this.#execute(record, this));
  }

  /** Keeps leases and locks alive; a lost one stops its record before it can do harm. */
  async #renew(): Promise<void> {
    for (const waiting of this.#waiting) await renewWaiting(this.#parts, waiting);
    for (const [recordId, active] of this.#active) {
      const stop = await renewActive(this.#parts, recordId, active);
      if (stop !== undefined && this.#active.has(recordId)) active.controller.abort(stop);
    }
  }
}
