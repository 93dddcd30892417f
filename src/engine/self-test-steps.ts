/** The steps of a self-test, as its result tells them: written down as each begins and ends. */
import { HoldfastError } from '../errors.ts';
import type { SelfTestResult, SelfTestStepName } from './record-result.ts';
import type { RunningRecord } from './running-record.ts';

type Steps = SelfTestResult['steps'];

const NAMES: readonly SelfTestStepName[] = ['COLLECT', 'BACK_UP', 'DESTROY', 'RESTORE', 'VERIFY', 'CLEAN_UP'];

/** What to do when the error itself does not say. */
const HINTS: Readonly<Record<SelfTestStepName, string>> = {
  COLLECT: 'Check that the data directory can be written to and has room, then run the self-test again.',
  BACK_UP: 'Backups of sources would fail the same way. Check the storage, then run the self-test again.',
  DESTROY: 'Check the data directory, then run the self-test again.',
  RESTORE: 'Restores of backups may fail the same way. Check disk, memory and the log of the server.',
  VERIFY:
    'Do not rely on new backups before this is understood. Check disk, memory and the log of the server.',
  CLEAN_UP: 'Check the storage and the data directory: something of the self-test may be left there.',
};

export class SelfTestSteps {
  readonly #record: RunningRecord;
  readonly #now: () => Date;
  #steps: Steps;

  /** @param before what an earlier process had written down; all are waiting unless given */
  constructor(record: RunningRecord, now: () => Date, before?: SelfTestResult) {
    this.#record = record;
    this.#now = now;
    this.#steps =
      before?.steps ??
      NAMES.map((name) => ({ name, status: 'WAITING', startedAt: null, finishedAt: null, seconds: null }));
  }

  /** Runs one step. @throws HoldfastError what `work` throws, saying in which step; a cancellation as it is */
  async run<T>(name: SelfTestStepName, work: () => Promise<T>): Promise<T> {
    const startedAt = this.#now();
    await this.#set(name, { status: 'RUNNING', startedAt: startedAt.toISOString() });
    const end = async (status: 'SUCCEEDED' | 'FAILED' | 'CANCELED'): Promise<void> => {
      const finishedAt = this.#now();
      const seconds = (finishedAt.getTime() - startedAt.getTime()) / 1000;
      await this.#set(name, { status, finishedAt: finishedAt.toISOString(), seconds });
    };
    let done: T;
    try {
      done = await work();
    } catch (error) {
      const canceled = this.#record.signal.aborted && name !== 'CLEAN_UP';
      // What failed is the one to tell; the end of the record writes the steps once more.
      await end(canceled ? 'CANCELED' : 'FAILED').catch(() => undefined);
      throw canceled ? error : inStep(name, error);
    }
    await end('SUCCEEDED');
    return done;
  }

  /** Nothing follows: what was running has failed, what waits is skipped. */
  close(): void {
    this.#steps = this.#steps.map((step) => ({
      ...step,
      status: step.status === 'WAITING' ? 'SKIPPED' : step.status === 'RUNNING' ? 'FAILED' : step.status,
    }));
    this.#record.setResult({ kind: 'SELF_TEST', steps: this.#steps });
  }

  async #set(name: SelfTestStepName, change: Partial<Steps[number]>): Promise<void> {
    this.#steps = this.#steps.map((step) => (step.name === name ? { ...step, ...change } : step));
    await this.#record.keepResult({ kind: 'SELF_TEST', steps: this.#steps });
  }
}

function inStep(name: SelfTestStepName, error: unknown): HoldfastError {
  const known = error instanceof HoldfastError ? error : undefined;
  const what =
    known?.message ?? 'an unexpected fault of Holdfast or of this machine; the log has the details.';
  return new HoldfastError(known?.code ?? 'INTERNAL', `The self-test failed in its step ${name}: ${what}`, {
    hint: known?.hint ?? HINTS[name],
    cause: error,
  });
}
