import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import type { RestoreBackupRequest } from '../../src/engine/engine.ts';
import { EVERYTHING, restoreOf } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

type Moment = 'before its turn' | 'between its turn and its start';

let faulty: FaultyEngine;
let application: Application;
let sourceId: string;
let backupId: string;
/** Cancels the next record, or the next part of one, at a moment of its beginning. */
let cancelNext: { readonly moment: Moment; readonly partOfAnother: boolean } | undefined;

beforeEach(async () => {
  cancelNext = undefined;
  faulty = await FaultyEngine.start(({ catalog }) => ({
    catalog: {
      ...catalog,
      records: {
        ...catalog.records,
        async claim(id, owner, until, from) {
          const cancelAt = async (moment: Moment): Promise<void> => {
            const { engine, actor, record } = faulty.holdfast;
            const { parentId } = await record.call(faulty.holdfast, id);
            if (cancelNext?.moment !== moment || cancelNext.partOfAnother !== (parentId !== null)) return;
            cancelNext = undefined;
            await engine.cancelRecord(actor, id);
          };
          await cancelAt('before its turn');
          const claimed = await catalog.records.claim(id, owner, until, from);
          await cancelAt('between its turn and its start');
          return claimed;
        },
      },
    },
  }));
  const { holdfast } = faulty;
  application = await sqliteApplication(join(holdfast.root, 'app'));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
  backupId = (await holdfast.backUp(sourceId)).backupId;
  await application.wreck();
});

afterEach(async () => {
  faulty.at = () => undefined;
  // Its lock and its lease go right after its end.
  await expect.poll(() => faulty.holdfast.leftovers(), { timeout: 10_000 }).toEqual([]);
  await faulty.holdfast.remove();
});

const MOMENTS: readonly Moment[] = ['before its turn', 'between its turn and its start'];

describe.each(MOMENTS)('a record that is canceled %s', (moment) => {
  test('never starts, and nothing is changed', async () => {
    const { engine, actor, opened } = faulty.holdfast;
    const before = await application.content();
    const selection = EVERYTHING;
    for (const begin of [
      () => engine.createBackup(actor, { sourceId, selection }),
      () => engine.restoreBackup(actor, restoreOf(backupId, { preRestoreBackup: 'NONE' })),
    ]) {
      cancelNext = { moment, partOfAnother: false };
      const record = await faulty.holdfast.finished(await begin());
      expect(record).toMatchObject({ status: 'CANCELED', startedAt: null, phases: [] });
    }
    expect(await opened.prisma.backup.count()).toBe(1);
    expect(await application.content()).toEqual(before);
    // That it was canceled is its end, and no fault.
    expect(faulty.log).not.toContain('could not be written');
    // The source is free again.
    expect((await faulty.create(sourceId)).status).toBe('SUCCEEDED');
  });

  test('as the snapshot of a restore stops that, unless it may go on without', async () => {
    const before = await application.content();
    cancelNext = { moment, partOfAnother: true };
    const stopped = await faulty.restore(restoreOf(backupId));
    expect(stopped).toMatchObject({
      status: 'FAILED',
      error: { code: 'CANCELED', message: 'The snapshot before the restore was canceled.' },
      result: { targetState: 'WHOLLY_OLD' },
    });
    expect(await application.content()).toEqual(before);
    cancelNext = { moment, partOfAnother: true };
    const wentOn = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'BEST_EFFORT' }));
    expect(wentOn).toMatchObject({
      status: 'SUCCEEDED',
      result: { targetState: 'WHOLLY_NEW', preRestoreBackupId: null },
    });
    expect(wentOn.warnings).toEqual([expect.stringContaining('canceled. The restore went on without it')]);
    expect(await application.content()).not.toEqual(before);
  });
});

describe('a restore with a snapshot at best effort', () => {
  const bestEffort = (): RestoreBackupRequest => restoreOf(backupId, { preRestoreBackup: 'BEST_EFFORT' });

  async function cancelAt(point: string): Promise<RecordRow> {
    const { engine, actor } = faulty.holdfast;
    return await faulty.cancelAt(point, () => engine.restoreBackup(actor, bestEffort()));
  }

  test('that is canceled while the snapshot is made does not go on without it', async () => {
    const before = await application.content();
    const record = await cancelAt('in rows of book');
    expect(record).toMatchObject({ status: 'CANCELED', result: { targetState: 'WHOLLY_OLD' }, warnings: [] });
    expect(await application.content()).toEqual(before);
    expect(await faulty.holdfast.opened.prisma.backup.count()).toBe(1);
  });

  test('that is canceled after it keeps the snapshot and names it', async () => {
    const before = await application.content();
    const record = await cancelAt('after PHASE_FINISHED PRE_RESTORE_BACKUP');
    expect(record).toMatchObject({ status: 'CANCELED', result: { targetState: 'WHOLLY_OLD' } });
    expect(await application.content()).toEqual(before);
    const snapshot = await faulty.holdfast.opened.prisma.backup.findFirstOrThrow({
      where: { trigger: 'PRE_RESTORE' },
    });
    expect(record.result).toMatchObject({ preRestoreBackupId: snapshot.id });
  });
});
