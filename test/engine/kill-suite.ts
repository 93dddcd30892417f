/** What must hold whatever moment the process dies at. The same suite for every kind of database. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreOf, TestEngine } from '../support/engine.ts';
import type { Application } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';

/** Where the process is killed while it makes a backup, and what must come of it. */
const CREATE_POINTS: readonly [phase: string, point: string, status: 'FAILED' | 'SUCCEEDED'][] = [
  ['SNAPSHOT', 'in snapshot', 'FAILED'],
  ['TABLES', 'in rows of book', 'FAILED'],
  ['FILES', 'before file nested/b.txt', 'FAILED'],
  ['STORE, before the rename', 'before store', 'FAILED'],
  ['STORE, after the rename', 'after store', 'SUCCEEDED'],
  ['CATALOG, before its row', 'before catalogue', 'SUCCEEDED'],
  ['CATALOG, after its row', 'after catalogue', 'SUCCEEDED'],
  ['its end, before the lock is released', 'after RECORD_FINISHED', 'SUCCEEDED'],
];

/** Where the process is killed while it restores, and on which side everything must be afterwards. */
const RESTORE_POINTS: readonly [phase: string, point: string, state: 'WHOLLY_OLD' | 'WHOLLY_NEW'][] = [
  ['CHECKSUM', 'after PHASE_STARTED CHECKSUM', 'WHOLLY_OLD'],
  ['CONTENT', 'in content', 'WHOLLY_OLD'],
  ['PLAN', 'in plan', 'WHOLLY_OLD'],
  ['PRE_RESTORE_BACKUP', 'in rows of book', 'WHOLLY_OLD'],
  ['STAGE_FILES', 'before staging link', 'WHOLLY_OLD'],
  ['STAGE_FILES, when everything is staged', 'after PHASE_FINISHED STAGE_FILES', 'WHOLLY_OLD'],
  ['CLEAR_TABLES', 'after clear', 'WHOLLY_OLD'],
  ['LOAD_TABLES', 'after load of author', 'WHOLLY_OLD'],
  ['CONSTRAINTS', 'after constraints', 'WHOLLY_OLD'],
  ['PROVE', 'in proof', 'WHOLLY_OLD'],
  ['COMMIT, before the journal', 'after ticket', 'WHOLLY_OLD'],
  ['COMMIT, after the journal', 'before swap of uploads', 'WHOLLY_OLD'],
  ['COMMIT, between the renames of a swap', 'within swap', 'WHOLLY_OLD'],
  ['COMMIT, between two swaps', 'after swap of uploads', 'WHOLLY_OLD'],
  ["COMMIT, before the database's", 'before commit', 'WHOLLY_OLD'],
  ["COMMIT, after the database's", 'after commit', 'WHOLLY_NEW'],
  ['COMMIT, in the clean-up of files', 'after discard', 'WHOLLY_NEW'],
  ['COMMIT, when the database has forgotten', 'after forget', 'WHOLLY_NEW'],
  ['COMMIT, before the catalog knows', 'before result', 'WHOLLY_NEW'],
  ['COMMIT, when the catalog knows', 'after result', 'WHOLLY_NEW'],
  ['COMMIT, when the journal is gone', 'after PHASE_FINISHED COMMIT', 'WHOLLY_NEW'],
  ['its end, before the lock is released', 'after RECORD_FINISHED', 'WHOLLY_NEW'],
];

/** Points at which the kind of database makes no difference: tried once is enough. */
const NOT_OF_THE_DATABASE = new Set([
  'before file nested/b.txt',
  'before store',
  'before catalogue',
  'after catalogue',
  'after RECORD_FINISHED',
  'after PHASE_STARTED CHECKSUM',
  'in content',
  'in plan',
  'before staging link',
  'after PHASE_FINISHED STAGE_FILES',
  'within swap',
  'after PHASE_FINISHED COMMIT',
]);

/** Runs the suite. @param make an application in a directory */
export function killSuite(
  make: (directory: string) => Promise<Application>,
  points: 'ALL' | 'OF THE DATABASE',
): void {
  const chosen = ([, point]: readonly [string, string, string]): boolean =>
    points === 'ALL' || !NOT_OF_THE_DATABASE.has(point);
  let home: string;
  let application: Application;
  let sourceId: string;
  let backupId: string;
  let bundled: unknown;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
    application = await make(join(home, 'root/app'));
    bundled = await application.content();
    await withEngine(async (holdfast) => {
      sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
      backupId = (await holdfast.backUp(sourceId)).backupId;
    });
  });

  afterAll(async () => {
    await application.dispose();
    await rm(home, { recursive: true, force: true });
  });

  async function withEngine(work: (holdfast: TestEngine) => Promise<void>): Promise<void> {
    const holdfast = await TestEngine.start(undefined, home);
    try {
      await work(holdfast);
    } finally {
      await holdfast.stop();
    }
  }

  describe('a backup whose process is killed', () => {
    test.each(CREATE_POINTS.filter(chosen))(
      'in %s is ended truthfully and leaves nothing half-made',
      async (...row) => {
        const [, killAt, status] = row;
        await runKilled({ directory: home, killAt, work: { kind: 'CREATE', sourceId } });
        await withEngine(async (holdfast) => {
          const record = await holdfast.lastRecord();
          expect(record.status).toBe(status);
          expect(await holdfast.leftovers()).toEqual([]);
          if (status === 'FAILED') {
            expect(record.error).toMatchObject({ code: 'INTERNAL', hint: 'Start the backup again.' });
            expect(record.backupId).toBeNull();
            return;
          }
          const verified = await holdfast.finished(
            await holdfast.engine.verifyBackup(holdfast.actor, {
              backupId: record.backupId ?? '',
              level: 'CONTENT',
            }),
          );
          expect(verified.result).toMatchObject({ verdict: 'PASSED' });
        });
      },
    );

    test('is followed by one that works', async () => {
      await withEngine(async (holdfast) => {
        expect((await holdfast.backUp(sourceId)).status).toBe('SUCCEEDED');
      });
    });
  });

  describe('a restore whose process is killed', () => {
    test.each(RESTORE_POINTS.filter(chosen))(
      'in %s leaves database and files together on one side',
      async (...row) => {
        const [, killAt, state] = row;
        await application.wreck();
        const wrecked = await application.content();
        expect(wrecked).not.toEqual(bundled);
        const preRestoreBackup = killAt === 'in rows of book' ? 'REQUIRED' : 'NONE';
        const request = restoreOf(backupId, { preRestoreBackup });
        await runKilled({ directory: home, killAt, work: { kind: 'RESTORE', request } });
        await withEngine(async (holdfast) => {
          const record = await holdfast.lastRecord();
          expect(await application.content()).toEqual(state === 'WHOLLY_NEW' ? bundled : wrecked);
          expect(record).toMatchObject({
            status: state === 'WHOLLY_NEW' ? 'SUCCEEDED' : 'FAILED',
            result: { targetState: state },
          });
          if (state === 'WHOLLY_NEW') {
            expect(record.result).toMatchObject({
              rowsRestored: 7,
              filesRestored: 3,
              rolledBack: false,
              proven: true,
            });
          }
          expect(await holdfast.leftovers()).toEqual([]);
        });
      },
    );

    test('is followed by a backup and a restore that work', async () => {
      await application.wreck();
      await withEngine(async (holdfast) => {
        const restored = await holdfast.restore(restoreOf(backupId));
        expect(restored).toMatchObject({
          status: 'SUCCEEDED',
          error: null,
          result: { targetState: 'WHOLLY_NEW' },
        });
        expect(await application.content()).toEqual(bundled);
        expect(await holdfast.leftovers()).toEqual([]);
      });
    });
  });
}
