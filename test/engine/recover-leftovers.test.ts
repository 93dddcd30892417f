/** What a restore left in a MariaDB that was out of reach when it was to be removed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, mariadbApplication } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';
import { withPoints } from '../support/kill-points.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe.skipIf(inject('mariadbUrl') === null)('what a restore left in a database out of reach', () => {
  let home: string;
  let server: MariadbServer;
  let application: Application;
  let backupId: string;
  let wrecked: unknown;

  async function withEngine(
    work: (holdfast: TestEngine) => Promise<void>,
    at: (point: string) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const holdfast = await TestEngine.start((parts) => ({ log: quiet, ...withPoints(parts, at) }), home);
    try {
      await work(holdfast);
    } finally {
      await holdfast.stop();
    }
  }

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'holdfast-leftovers-'));
    const started = await startMariadb();
    if (started === undefined) throw new Error('no server');
    server = started;
    application = await mariadbApplication(join(home, 'root/app'), server.url);
    await withEngine(async (holdfast) => {
      const { id } = await holdfast.engine.createSource(holdfast.actor, application.definition);
      backupId = (await holdfast.backUp(id)).backupId;
    });
    await application.wreck();
    wrecked = await application.content();
  }, 120_000);

  afterAll(async () => {
    await application?.dispose();
    await server?.stop();
    await rm(home, { recursive: true, force: true });
  });

  /** Everything is as it was, and nothing waits any more. */
  async function expectClean(): Promise<void> {
    await withEngine(async (holdfast) => {
      expect(await holdfast.leftovers()).toEqual([]);
      expect(await application.content()).toEqual(wrecked);
    });
  }

  test('is removed by a later recovery when the server that made it is dead too', async () => {
    const request = restoreOf(backupId, { preRestoreBackup: 'NONE' });
    await runKilled({ directory: home, killAt: 'after constraints', work: { kind: 'RESTORE', request } });
    await server.kill();
    await withEngine(async (holdfast) => {
      expect(await holdfast.lastRecord()).toMatchObject({
        status: 'FAILED',
        result: { targetState: 'WHOLLY_OLD' },
        warnings: expect.arrayContaining([expect.stringContaining('tried again')]),
      });
      expect(await holdfast.leftovers()).toEqual([expect.stringContaining('leftover-')]);
    });
    // Still out of reach: the note stays.
    await withEngine(async (holdfast) => {
      expect(await holdfast.leftovers()).toEqual([expect.stringContaining('leftover-')]);
    });
    await server.restart();
    await expectClean();
  }, 120_000);

  test('is removed too when the restore itself saw the server go', async () => {
    let gone = false;
    const stopServer = async (point: string) => {
      if (gone || point !== 'after constraints') return;
      gone = true;
      await server.kill();
    };
    await withEngine(async (holdfast) => {
      const record = await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'NONE' }));
      expect(record).toMatchObject({ status: 'FAILED', error: { code: 'SOURCE_UNREACHABLE' } });
      expect(await holdfast.leftovers()).toEqual([expect.stringContaining('leftover-')]);
    }, stopServer);
    await server.restart();
    await expectClean();
  }, 120_000);
});
