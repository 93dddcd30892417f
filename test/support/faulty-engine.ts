/** An engine whose parts a test can make fail, or hold still, at any point; and what it logged. */
import { inspect } from 'node:util';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import type { RestoreBackupRequest } from '../../src/engine/engine.ts';
import type { EngineParts } from '../../src/engine/parts.ts';
import { EVERYTHING, TestEngine } from './engine.ts';
import { type AtPoint, withPoints } from './kill-points.ts';

export class FaultyEngine {
  /** What happens at the points; reset it after each test. */
  at: AtPoint = () => undefined;
  readonly #logged: string[] = [];
  #holdfast: TestEngine | undefined;

  static async start(
    change: (parts: EngineParts) => Partial<EngineParts> = () => ({}),
  ): Promise<FaultyEngine> {
    const faulty = new FaultyEngine();
    const keep = (details: object, message: string): void => {
      faulty.#logged.push(`${message} ${inspect(details, { depth: 10, showHidden: true })}`);
    };
    faulty.#holdfast = await TestEngine.start((base) => {
      const log = { info: keep, warn: keep, error: keep };
      const parts = { ...base, log, ...change(base) };
      return { ...parts, ...withPoints(parts, (point) => faulty.at(point)) };
    });
    return faulty;
  }

  get holdfast(): TestEngine {
    if (this.#holdfast === undefined) throw new Error('start it first');
    return this.#holdfast;
  }

  /** Everything that was logged, errors with their causes and all their fields. */
  get log(): string {
    return this.#logged.join('\n');
  }

  clearLog(): void {
    this.#logged.length = 0;
  }

  /** Does `work` when `point` is passed, the first time. */
  once(point: string, work: () => void | Promise<void>): void {
    let done = false;
    this.at = async (passed) => {
      if (passed !== point || done) return;
      done = true;
      await work();
    };
  }

  /** A backup that may fail. */
  async create(sourceId: string): Promise<RecordRow> {
    const { engine, actor } = this.holdfast;
    return await this.holdfast.finished(
      await engine.createBackup(actor, { sourceId, selection: EVERYTHING }),
    );
  }

  /** Holds a record still at a point: resolves when it stands there, with the way to let it go on. */
  hold(point: string): { reached: Promise<void>; release: () => void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.once(point, async () => {
      reached.resolve();
      await released.promise;
    });
    return { reached: reached.promise, release: released.resolve };
  }

  /** Cancels the record that `begin` starts, at a point of its way. */
  async cancelAt(point: string, begin: () => Promise<RecordRow>): Promise<RecordRow> {
    const begun = Promise.withResolvers<RecordRow>();
    this.once(point, async () => {
      const { engine, actor } = this.holdfast;
      await engine.cancelRecord(actor, (await begun.promise).id);
    });
    begun.resolve(await begin());
    return await this.holdfast.finished(await begun.promise);
  }

  async restore(request: RestoreBackupRequest): Promise<RecordRow> {
    return await this.holdfast.restore(request);
  }
}
