import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import { HoldfastError } from '../../src/errors.ts';
import { restoreOf } from '../support/engine.ts';
import { type Application, postgresApplication, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

/** Whether the database has a part in it, and the point. */
const CANCEL_POINTS: readonly [ofDatabase: boolean, point: string][] = [
  [false, 'after PHASE_STARTED CHECKSUM'],
  [false, 'in content'],
  [false, 'in plan'],
  [false, 'after PHASE_STARTED PRE_RESTORE_BACKUP'],
  [true, 'in rows of book'],
  [false, 'before staging link'],
  [false, 'after PHASE_FINISHED STAGE_FILES'],
  [true, 'after clear'],
  [true, 'after load of author'],
  [false, 'after constraints'],
  [true, 'in proof'],
  [false, 'after PHASE_FINISHED PROVE'],
  [true, 'after ticket'],
  [false, 'before swap of uploads'],
  [false, 'after swap of uploads'],
  [true, 'after swap of config'],
];

const KINDS: readonly [string, (directory: string) => Promise<Application>][] = [
  ['SQLite', sqliteApplication],
  ['PostgreSQL', (directory) => postgresApplication(directory, inject('postgresUrl'))],
];

describe.each(KINDS)('a restore into %s and files', (kind, make) => {
  let faulty: FaultyEngine;
  let application: Application;
  let sourceId: string;
  let backupId: string;
  let bundled: unknown;
  let wrecked: unknown;

  beforeAll(async () => {
    faulty = await FaultyEngine.start();
    const { holdfast } = faulty;
    application = await make(join(holdfast.root, 'app'));
    bundled = await application.content();
    sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
    backupId = (await holdfast.backUp(sourceId)).backupId;
  });

  afterAll(async () => {
    await faulty.holdfast.remove();
    await application.dispose();
  });

  beforeEach(async () => {
    await application.wreck();
    wrecked = await application.content();
  });

  afterEach(async () => {
    faulty.at = () => undefined;
    expect(await faulty.holdfast.leftovers()).toEqual([]);
  });

  async function expectOld(record: RecordRow): Promise<void> {
    expect(await application.content()).toEqual(wrecked);
    expect(record.result).toMatchObject({ targetState: 'WHOLLY_OLD' });
  }

  async function expectNew(record: RecordRow): Promise<void> {
    expect(await application.content()).toEqual(bundled);
    expect(record).toMatchObject({ status: 'SUCCEEDED', error: null, result: { targetState: 'WHOLLY_NEW' } });
  }

  test.each(kind === 'SQLite' ? CANCEL_POINTS.filter(([ofDatabase]) => ofDatabase) : CANCEL_POINTS)(
    'that is canceled (database at work: %s) at "%s" leaves everything as it was',
    async (_ofDatabase, point) => {
      const { engine, actor } = faulty.holdfast;
      const needsSnapshot = point === 'in rows of book' || point.endsWith('PRE_RESTORE_BACKUP');
      const record = await faulty.cancelAt(point, () =>
        engine.restoreBackup(
          actor,
          restoreOf(backupId, { preRestoreBackup: needsSnapshot ? 'REQUIRED' : 'NONE' }),
        ),
      );
      expect(record).toMatchObject({ status: 'CANCELED', error: { code: 'CANCELED' } });
      await expectOld(record);
    },
  );

  test('that is canceled when the database has committed is done, and says so', async () => {
    const { engine, actor } = faulty.holdfast;
    const record = await faulty.cancelAt('after commit', () =>
      engine.restoreBackup(actor, restoreOf(backupId, { preRestoreBackup: 'NONE' })),
    );
    await expectNew(record);
  });

  test('whose connection breaks before COMMIT took effect is wholly old', async () => {
    faulty.once('before commit', () => {
      throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection broke during COMMIT.');
    });
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'SOURCE_UNREACHABLE', phase: 'COMMIT' },
    });
    await expectOld(record);
  });

  test('whose connection breaks after COMMIT took effect is wholly new, as the database says', async () => {
    faulty.once('after commit', () => {
      throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection broke during COMMIT.');
    });
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    await expectNew(record);
    expect(record.warnings).toEqual([expect.stringContaining('the database says that it committed')]);
  });

  test('whose second tree cannot be swapped puts the first one back and rolls back', async () => {
    faulty.once('before swap of config', () => {
      throw new HoldfastError('SOURCE_UNREACHABLE', 'The system says EIO.');
    });
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'SOURCE_UNREACHABLE', phase: 'COMMIT' },
    });
    await expectOld(record);
  });

  test('whose catalog fails at the end of a phase takes back what the phase had done', async () => {
    for (const phase of ['STAGE_FILES', 'CLEAR_TABLES', 'PROVE']) {
      faulty.once(`before PHASE_FINISHED ${phase}`, () => {
        throw new Error('the catalog is busy');
      });
      const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
      expect(record).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', phase } });
      expect(record.phases.at(-1)).toMatchObject({ name: phase, status: 'FAILED' });
      await expectOld(record);
      expect(await application.leftovers()).toEqual([]);
      // No transaction is left open: the application can write.
      await application.execute("UPDATE author SET name = 'nobody' WHERE id = 1");
    }
  });

  test('whose lock was taken over does not commit', async () => {
    faulty.once('in proof', async () => {
      await faulty.holdfast.opened.prisma.lock.update({
        where: { sourceId },
        data: { recordId: 'another', owner: 'another/1/1', token: { increment: 1 } },
      });
    });
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    await faulty.holdfast.opened.prisma.lock.deleteMany({ where: { recordId: 'another' } });
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'LOCK_LOST' } });
    await expectOld(record);
  });

  test('whose record was taken over by another server does not commit', async () => {
    const { prisma } = faulty.holdfast.opened;
    faulty.once('after ticket', async () => {
      await prisma.record.updateMany({
        where: { status: 'RUNNING' },
        data: { leaseOwner: 'another/1/1', leaseUntil: new Date(Date.now() + 60_000) },
      });
    });
    const { engine, actor } = faulty.holdfast;
    const { id } = await engine.restoreBackup(actor, restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    await expect.poll(() => prisma.lock.count(), { timeout: 20_000 }).toBe(0);
    // Its end is the other server's to write.
    expect((await faulty.holdfast.record(id)).status).toBe('RUNNING');
    expect(await application.content()).toEqual(wrecked);
    await prisma.record.delete({ where: { id } });
  });

  if (kind === 'PostgreSQL') {
    test('whose backend is killed by the server during COMMIT ends on the side the server says', async () => {
      faulty.once('before commit', () =>
        application.execute(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
        ),
      );
      const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
      expect(record).toMatchObject({
        status: 'FAILED',
        error: { code: 'SOURCE_UNREACHABLE', phase: 'COMMIT' },
      });
      await expectOld(record);
    });
  }

  test('whose snapshot fails is stopped; BEST_EFFORT goes on with a warning; NONE makes none', async () => {
    const failSnapshot = (): void =>
      faulty.once('before store', () => {
        throw new HoldfastError('STORAGE_FULL', 'No room was left to write a bundle.');
      });
    failSnapshot();
    const stopped = await faulty.restore(restoreOf(backupId));
    expect(stopped).toMatchObject({
      status: 'FAILED',
      error: {
        code: 'STORAGE_FULL',
        phase: 'PRE_RESTORE_BACKUP',
        message: expect.stringContaining('snapshot'),
      },
    });
    await expectOld(stopped);

    failSnapshot();
    const wentOn = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'BEST_EFFORT' }));
    await expectNew(wentOn);
    expect(wentOn.warnings).toEqual([expect.stringContaining('went on without it')]);
    expect(wentOn.result).toMatchObject({ preRestoreBackupId: null });

    await application.wreck();
    const without = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    await expectNew(without);
    expect(without.phases.map((phase) => phase.name)).not.toContain('PRE_RESTORE_BACKUP');
  });

  test('that dies of an unexpected fault says nothing of it but where the log has it', async () => {
    faulty.once('after load of author', () => {
      throw new Error('secret detail');
    });
    const record = await faulty.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', phase: 'LOAD_TABLES' } });
    expect(JSON.stringify(record.error)).not.toContain('secret detail');
    expect(faulty.log).toContain('secret detail');
    await expectOld(record);
  });
});
