/**
 * A record while it is being executed: opens and closes its phases, counts, warns, and writes every change of
 * state to the catalog before it is published. Progress ticks are published at most every TICK_MS and saved at
 * most every SAVE_MS.
 */
import type { Sealing } from '../bundle/sealing.ts';
import {
  NO_PROGRESS,
  type PhaseName,
  type PhaseState,
  type PhaseStatus,
  type RecordChange,
  type RecordError,
  type RecordEventType,
  type RecordRow,
} from '../catalog/catalog.ts';
import { abortError, HoldfastError, throwIfAborted } from '../errors.ts';
import { toRecordEvent } from '../events/persisted-events.ts';
import type { Unlock } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { ProgressMeter } from './progress-meter.ts';
import { recordProgress, shapeOf } from './record-progress.ts';
import type { RecordResult } from './record-result.ts';
import type { RequestSecrets } from './request-secrets.ts';

const TICK_MS = 250;
const SAVE_MS = 1000;
/** More warnings than this are counted, not kept: a record is read whole. */
const MAX_WARNINGS = 1000;

/** Ends an execution without a verdict: what became of it cannot be known now, recovery will find out. */
export class UndecidedError extends Error {
  override readonly name = 'UndecidedError';
}

export class RunningRecord {
  readonly signal: AbortSignal;
  /** What the bundle is opened with, as the caller gave it; in memory alone. */
  readonly unlock: Unlock | undefined;
  /** What the bundle is sealed with where that is a secret of the caller; in memory alone. */
  readonly sealing: Sealing | undefined;
  readonly #parts: EngineParts;
  #row: RecordRow;
  #result: RecordResult | null = null;
  #warnings: string[] = [];
  #unkeptWarnings = 0;
  #open: { state: PhaseState; meter: ProgressMeter } | undefined;
  /** Writes go out one after the other, so that sequence numbers and states agree. */
  #writes: Promise<unknown> = Promise.resolve();
  #savedAt = 0;
  /** In which phase an error was thrown; a record may go on after a phase that failed. */
  readonly #phaseOf = new WeakMap<object, PhaseName>();

  constructor(parts: EngineParts, row: RecordRow, signal: AbortSignal, secrets: RequestSecrets = {}) {
    this.unlock = secrets.unlock;
    this.sealing = secrets.sealing;
    this.#parts = parts;
    this.#row = row;
    this.#warnings = [...row.warnings];
    this.signal = signal;
  }

  /** The record as it was last written. */
  get row(): RecordRow {
    return this.#row;
  }

  /**
   * Runs one phase. Phases of a record never overlap. Cancellation is noticed at both ends.
   * @throws what `work` throws; CANCELED when the record is aborted
   */
  async phase<T>(name: PhaseName, work: (meter: ProgressMeter) => Promise<T>): Promise<T> {
    throwIfAborted(this.signal);
    return await this.#runPhase(name, work);
  }

  /** Like {@link phase}, for what must be done whether or not the record was canceled. */
  async finalPhase<T>(name: PhaseName, work: (meter: ProgressMeter) => Promise<T>): Promise<T> {
    return await this.#runPhase(name, work);
  }

  async #runPhase<T>(name: PhaseName, work: (meter: ProgressMeter) => Promise<T>): Promise<T> {
    const meter = new ProgressMeter(this.#parts.now);
    const state: PhaseState = {
      index: this.#row.phases.length,
      name,
      status: 'RUNNING',
      startedAt: this.#parts.now().toISOString(),
      finishedAt: null,
      progress: NO_PROGRESS,
    };
    await this.#write({ phases: [...this.#row.phases, state] }, 'PHASE_STARTED', state);
    this.#open = { state, meter };
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    const close = async (status: PhaseStatus): Promise<void> => {
      clearInterval(ticker);
      this.#open = undefined;
      const finished: PhaseState = {
        ...state,
        status,
        finishedAt: this.#parts.now().toISOString(),
        progress: meter.state(status === 'SUCCEEDED'),
      };
      try {
        await this.#write({ phases: this.#phasesWith(finished) }, 'PHASE_FINISHED', finished);
      } catch (error) {
        // The end of the record is written with its phases: none may stand in it as if it still ran.
        const ended = status === 'SUCCEEDED' ? 'FAILED' : status;
        this.#row = { ...this.#row, phases: this.#phasesWith({ ...finished, status: ended }) };
        throw error;
      }
    };
    let done: T;
    try {
      done = await work(meter);
    } catch (error) {
      if (error instanceof Error) this.#phaseOf.set(error, name);
      // What stopped the work decides what becomes of the record; a catalog that fails as well must not hide it.
      await close(this.signal.aborted ? 'CANCELED' : 'FAILED').catch((fault: unknown) => {
        this.#parts.log.warn({ err: fault, recordId: this.#row.id }, 'the end of a phase was not written');
      });
      throw error;
    }
    await close('SUCCEEDED');
    return done;
  }

  /** Tells the reader of the record something that did not stop it. */
  warn(message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(message);
    else this.#unkeptWarnings += 1;
  }

  /** The warnings so far, the last one counting those that were not kept. */
  get warnings(): string[] {
    return this.#unkeptWarnings === 0
      ? [...this.#warnings]
      : [...this.#warnings, `… and ${this.#unkeptWarnings} more warnings`];
  }

  /** What came of the record so far; written with its end, also when that is a failure. */
  setResult(result: RecordResult): void {
    this.#result = result;
  }

  /** Like {@link setResult}, and written at once: what recovery knows of the record if this process dies. */
  async keepResult(result: RecordResult): Promise<void> {
    this.#result = result;
    await this.amend({ result });
  }

  /** Writes a change of the record's own fields at once. */
  async amend(change: RecordChange): Promise<void> {
    await this.#write(change, 'RECORD_CHANGED', null);
  }

  /** RUNNING, with the time. */
  async start(): Promise<void> {
    await this.#write({ status: 'RUNNING', startedAt: this.#parts.now() }, 'RECORD_CHANGED', null);
  }

  /** The end, for better or worse; nothing may be written after it. */
  async finish(failure: unknown): Promise<RecordRow> {
    const done = failure === undefined;
    const error = done ? null : this.#describe(failure);
    // The code alone may mean a record that this one needs: that is a failure.
    const asked = this.signal.aborted || this.#row.status === 'CANCELING';
    const canceled = asked && error?.code === 'CANCELED';
    const status = done ? 'SUCCEEDED' : canceled ? 'CANCELED' : 'FAILED';
    await this.#write(
      {
        status,
        error,
        result: this.#result,
        phases: this.#row.phases,
        finishedAt: this.#parts.now(),
        progress: recordProgress(shapeOf(this.#row), this.#row.phases, done),
      },
      'RECORD_FINISHED',
      null,
    );
    return this.#row;
  }

  #describe(failure: unknown): RecordError {
    const known =
      failure instanceof HoldfastError ? failure : this.signal.aborted ? abortError(this.signal) : undefined;
    const unfinished = this.#row.phases.findLast((candidate) => candidate.status !== 'SUCCEEDED')?.name;
    const phase = this.#phaseWhereThrown(failure) ?? unfinished ?? null;
    if (known !== undefined) {
      return { code: known.code, phase, message: known.message, hint: known.hint ?? null };
    }
    this.#parts.log.error({ err: failure, recordId: this.#row.id, phase }, 'a record failed unexpectedly');
    return {
      code: 'INTERNAL',
      phase,
      message: 'An unexpected fault of Holdfast stopped the record.',
      hint: `The server's log has the details under record ${this.#row.id}.`,
    };
  }

  /** An error that tells another one in other words was thrown where that was. */
  #phaseWhereThrown(failure: unknown): PhaseName | undefined {
    if (!(failure instanceof Error)) return undefined;
    return (
      this.#phaseOf.get(failure) ??
      (failure.cause instanceof Error ? this.#phaseOf.get(failure.cause) : undefined)
    );
  }

  #phasesWith(phase: PhaseState): PhaseState[] {
    return this.#row.phases.map((candidate) => (candidate.index === phase.index ? phase : candidate));
  }

  async #write(change: RecordChange, type: RecordEventType, phase: PhaseState | null): Promise<void> {
    const write = this.#writes.then(async () => {
      const phases = change.phases ?? this.#row.phases;
      const written = await this.#parts.catalog.records.append(
        this.#row.id,
        this.#parts.identity.owner,
        {
          progress: recordProgress(shapeOf(this.#row), phases, false),
          warnings: this.warnings,
          ...change,
        },
        { type, phase },
      );
      this.#row = written.record;
      this.#parts.events.publish(toRecordEvent(written.event, written.record));
    });
    this.#writes = write.catch(() => undefined);
    await write;
  }

  #tick(): void {
    const open = this.#open;
    if (open === undefined || !open.meter.takeChanged()) return;
    const phase: PhaseState = { ...open.state, progress: open.meter.state(false) };
    const phases = this.#phasesWith(phase);
    const progress = recordProgress(shapeOf(this.#row), phases, false);
    this.#row = { ...this.#row, phases, progress };
    const now = this.#parts.now();
    this.#parts.events.publish({
      type: 'PHASE_PROGRESSED',
      sequence: this.#row.lastSequence,
      occurredAt: now,
      record: this.#row,
      phase,
    });
    if (now.getTime() - this.#savedAt < SAVE_MS) return;
    this.#savedAt = now.getTime();
    const { id } = this.#row;
    this.#writes = this.#writes
      .then(() => this.#parts.catalog.records.saveProgress(id, this.#parts.identity.owner, phases, progress))
      // Progress is a courtesy: a write that fails is made good by the next one.
      .catch((error: unknown) =>
        this.#parts.log.warn({ err: error, recordId: id }, 'progress was not saved'),
      );
  }
}
