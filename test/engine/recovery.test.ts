import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineParts, ProcessIdentity } from '../../src/engine/parts.ts';
import { HoldfastError } from '../../src/errors.ts';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';

let home: string;
let application: Application;
let sourceId: string;
let backupId: string;
let bundled: unknown;

const DEAD = 'this-host/1/dead';

/** A server that knows which of the others run no more. */
function server(name: string, dead: readonly string[] = []): ProcessIdentity {
  return { owner: `this-host/1/${name}`, isDead: (owner) => dead.includes(owner) };
}

async function withEngine(
  work: (holdfast: TestEngine) => Promise<void>,
  change: (parts: EngineParts) => Partial<EngineParts> = () => ({}),
): Promise<void> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const holdfast = await TestEngine.start((parts) => ({ log, ...change(parts) }), home);
  try {
    await work(holdfast);
  } finally {
    await holdfast.stop();
  }
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-recovery-'));
  application = await sqliteApplication(join(home, 'root/app'));
  bundled = await application.content();
  await withEngine(async (holdfast) => {
    sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
    backupId = (await holdfast.backUp(sourceId)).backupId;
  });
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** A restore whose process died right after the database's COMMIT, or right before. */
async function dieAt(killAt: string): Promise<void> {
  await application.wreck();
  const request = restoreOf(backupId, { preRestoreBackup: 'NONE' });
  await runKilled({ directory: home, killAt, work: { kind: 'RESTORE', request } });
}

describe('recovery', () => {
  test('that is killed itself, again and again, is finished by the next one', async () => {
    await dieAt('after commit');
    for (const killAt of ['before discard', 'after forget', 'after result', 'before RECORD_FINISHED']) {
      await runKilled({ directory: home, killAt, work: { kind: 'RECOVER' } });
    }
    await withEngine(async (holdfast) => {
      expect(await holdfast.lastRecord()).toMatchObject({
        status: 'SUCCEEDED',
        result: { targetState: 'WHOLLY_NEW', rowsRestored: 7 },
      });
      expect(await application.content()).toEqual(bundled);
      expect(await holdfast.leftovers()).toEqual([]);
    });
  });

  test('that is killed while it puts files back is finished by the next one', async () => {
    await application.wreck();
    const wrecked = await application.content();
    await dieAt('before commit');
    for (const killAt of ['before swap back', 'after swap back', 'before RECORD_FINISHED']) {
      await runKilled({ directory: home, killAt, work: { kind: 'RECOVER' } });
    }
    await withEngine(async (holdfast) => {
      expect(await holdfast.lastRecord()).toMatchObject({
        status: 'FAILED',
        result: { targetState: 'WHOLLY_OLD', rolledBack: true },
      });
      expect(await application.content()).toEqual(wrecked);
      expect(await holdfast.leftovers()).toEqual([]);
    });
  });

  test('waits for a database that cannot be asked, and lets nobody near the source before', async () => {
    await dieAt('after commit');
    const unreachable = (parts: EngineParts): Partial<EngineParts> => ({
      identity: { ...server('first'), isDead: (owner) => parts.identity.isDead(owner) },
      openDatabase: async (settings) => ({
        ...(await parts.openDatabase(settings)),
        outcome: () => Promise.reject(new HoldfastError('SOURCE_UNREACHABLE', 'Nobody listens.')),
      }),
    });
    await withEngine(async (holdfast) => {
      const { engine, actor } = holdfast;
      const unsettled = await holdfast.parts.catalog.records.unfinished();
      expect(unsettled).toEqual([
        expect.objectContaining({
          kind: 'RESTORE',
          status: 'RUNNING',
          warnings: expect.arrayContaining([expect.stringContaining('Nobody listens.')]),
        }),
      ]);
      await expect(engine.restoreBackup(actor, restoreOf(backupId))).rejects.toMatchObject({
        code: 'LOCK_HELD',
      });
      await expect(engine.deleteSource(actor, sourceId)).rejects.toMatchObject({ code: 'LOCK_HELD' });
      await holdfast.opened.prisma.lock.deleteMany();
      const waiting = await engine.createBackup(actor, { sourceId, selection: EVERYTHING });
      // Its turn has come and gone when a record of no source, queued after it, is finished.
      const verified = await engine.verifyBackup(actor, { backupId, level: 'CONTENT' });
      await holdfast.finished(verified);
      expect((await holdfast.record(waiting.id)).status).toBe('QUEUED');
      await engine.cancelRecord(actor, waiting.id);
    }, unreachable);
    await withEngine(
      async (holdfast) => {
        const record = await holdfast.opened.prisma.record.findFirstOrThrow({
          where: { kind: 'RESTORE' },
          orderBy: { queuedAt: 'desc' },
        });
        expect(record).toMatchObject({ status: 'SUCCEEDED', result: { targetState: 'WHOLLY_NEW' } });
        expect(await application.content()).toEqual(bundled);
        expect(await holdfast.leftovers()).toEqual([]);
      },
      () => ({ identity: server('second', ['this-host/1/first']) }),
    );
  });

  test('starts what a dead server had queued', async () => {
    let id = '';
    await withEngine(async (holdfast) => {
      const { request } = await holdfast.backUp(sourceId);
      // As it stands between its row and its start.
      const row = await holdfast.parts.catalog.records.create({
        workspaceId: holdfast.actor.workspaceId,
        kind: 'CREATE',
        trigger: 'MANUAL',
        sourceId,
        requestedBy: 'owner',
        request: JSON.parse(JSON.stringify(request).replace(/\.zip"/, '-2.zip"')),
      });
      id = row.id;
    });
    await withEngine(async (holdfast) => {
      expect(await holdfast.finished(id)).toMatchObject({ status: 'SUCCEEDED', error: null });
    });
  });

  test('never touches the records of a living server, and fails those of one whose lease ran out', async () => {
    let living = '';
    let expired = '';
    await withEngine(async (holdfast) => {
      const { request } = await holdfast.backUp(sourceId);
      const make = async (until: number): Promise<string> => {
        const row = await holdfast.parts.catalog.records.create({
          workspaceId: holdfast.actor.workspaceId,
          kind: 'CREATE',
          trigger: 'MANUAL',
          requestedBy: 'owner',
          request: JSON.parse(JSON.stringify(request).replace(/\.zip"/, '-none.zip"')),
        });
        await holdfast.opened.prisma.record.update({
          where: { id: row.id },
          data: { status: 'RUNNING', leaseOwner: 'elsewhere/1/1', leaseUntil: new Date(Date.now() + until) },
        });
        return row.id;
      };
      living = await make(60_000);
      expired = await make(-1);
    });
    await withEngine(async (holdfast) => {
      expect(await holdfast.record(living)).toMatchObject({ status: 'RUNNING', leaseOwner: 'elsewhere/1/1' });
      expect(await holdfast.record(expired)).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL' } });
      await holdfast.opened.prisma.record.delete({ where: { id: living } });
    });
  });

  test('removes pieces of uploads whose server died, and leaves those that are growing', async () => {
    const uploads = join(home, 'data/uploads');
    const piece = (owner: string): string =>
      `.00000000-0000-4000-8000-000000000000.${encodeURIComponent(owner)}.part`;
    await writeFile(join(uploads, piece(DEAD)), 'x');
    await writeFile(join(uploads, piece('this-host/1/alive')), 'x');
    await withEngine(
      async () => undefined,
      () => ({ identity: server('third', [DEAD]) }),
    );
    expect(await readdir(uploads)).toEqual([piece('this-host/1/alive')]);
    await rm(join(uploads, piece('this-host/1/alive')));
  });

  test('removes an old upload that the catalog does not know, and none that a record still reads', async () => {
    const uploads = join(home, 'data/uploads');
    const [forgotten, inUse] = [randomUUID(), randomUUID()];
    const longAgo = new Date(Date.now() - 72 * 60 * 60 * 1000);
    let recordId = '';
    await withEngine(async (holdfast) => {
      for (const name of [forgotten, inUse]) {
        await writeFile(join(uploads, name), 'x');
        await utimes(join(uploads, name), longAgo, longAgo);
      }
      const row = await holdfast.parts.catalog.records.create({
        workspaceId: holdfast.actor.workspaceId,
        kind: 'IMPORT',
        trigger: 'MANUAL',
        requestedBy: 'owner',
        request: { uploadId: inUse, storageKey: 'none/none.zip' },
      });
      recordId = row.id;
      await holdfast.opened.prisma.record.update({
        where: { id: row.id },
        data: {
          status: 'RUNNING',
          leaseOwner: 'elsewhere/1/1',
          leaseUntil: new Date(Date.now() + 600_000),
        },
      });
    });
    await withEngine(async (holdfast) => {
      expect(await readdir(uploads)).toEqual([inUse]);
      await holdfast.opened.prisma.record.delete({ where: { id: recordId } });
    });
    await rm(join(uploads, inUse));
  });

  test('ends a rotation of which something cannot be deleted, and tells it', async () => {
    let id = '';
    await withEngine(async (holdfast) => {
      const { backupId: pinned } = await holdfast.backUp(sourceId);
      await holdfast.engine.pinBackup(holdfast.actor, pinned, true);
      const verdict = { backupId: pinned, backupName: 'x', keep: false, reason: 'no rule', failure: null };
      const row = await holdfast.parts.catalog.records.create({
        workspaceId: holdfast.actor.workspaceId,
        kind: 'ROTATE',
        trigger: 'MANUAL',
        sourceId,
        requestedBy: 'owner',
        request: { verdicts: [verdict] },
      });
      id = row.id;
      await holdfast.opened.prisma.record.update({
        where: { id },
        data: { status: 'RUNNING', leaseOwner: DEAD, leaseUntil: new Date(0) },
      });
    });
    await withEngine(async (holdfast) => {
      expect(await holdfast.record(id)).toMatchObject({
        status: 'FAILED',
        result: { deleted: 0, verdicts: [{ failure: 'It was pinned meanwhile.' }] },
      });
    });
  });

  test('finishes a deletion that was begun, and one that cannot be does not stop the rest', async () => {
    let kept = '';
    let gone = '';
    await withEngine(async (holdfast) => {
      kept = (await holdfast.backUp(sourceId)).backupId;
      gone = (await holdfast.backUp(sourceId)).backupId;
      for (const id of [kept, gone]) await holdfast.parts.catalog.backups.markDeleting(id, new Date());
    });
    const stuck = (parts: EngineParts): Partial<EngineParts> => ({
      storage: {
        ...parts.storage,
        async delete(key, signal) {
          const backup = await parts.catalog.backups.findByStorageKey(key);
          if (backup?.id === kept) throw new HoldfastError('STORAGE_UNAVAILABLE', 'Read-only.');
          await parts.storage.delete(key, signal);
        },
      },
    });
    await withEngine(async (holdfast) => {
      const left = await holdfast.parts.catalog.backups.deleting();
      expect(left.map((backup) => backup.id)).toEqual([kept]);
    }, stuck);
    await withEngine(async (holdfast) => {
      expect(await holdfast.parts.catalog.backups.deleting()).toEqual([]);
      expect(await holdfast.leftovers()).toEqual([]);
    });
  });
});

describe('an engine that is stopped', () => {
  test('rolls back what is running, writes it down and starts nothing more', async () => {
    await application.wreck();
    const wrecked = await application.content();
    let ids: string[] = [];
    await withEngine(async (holdfast) => {
      const { engine, actor } = holdfast;
      const restore = await engine.restoreBackup(actor, restoreOf(backupId));
      const queued = await engine.createBackup(actor, { sourceId, selection: EVERYTHING });
      await expect.poll(async () => (await holdfast.record(restore.id)).status).toBe('RUNNING');
      ids = [restore.id, queued.id];
    });
    expect(await application.content()).toEqual(wrecked);
    expect(await application.leftovers()).toEqual([]);
    await withEngine(async (holdfast) => {
      const [restore, queued] = ids;
      expect(await holdfast.finished(restore ?? '')).toMatchObject({ result: { targetState: 'WHOLLY_OLD' } });
      expect(await holdfast.finished(queued ?? '')).toMatchObject({ status: 'SUCCEEDED' });
      expect(await holdfast.leftovers()).toEqual([]);
    });
  });
});

describe('a backup whose passphrase was told to another server', () => {
  /** As that server queued it; nobody began it. */
  async function queued(holdfast: TestEngine, secretsWith: string): Promise<string> {
    const record = await holdfast.parts.catalog.records.create({
      workspaceId: holdfast.actor.workspaceId,
      kind: 'CREATE',
      trigger: 'MANUAL',
      sourceId,
      requestedBy: 'owner',
      request: {
        secretsWith,
        sourceId,
        selection: { database: true, tables: null, trees: null, configTrees: null, envFile: false },
        compression: 'STORE',
        encryption: { mode: 'PASSPHRASE' },
        leaveOutUnreadable: false,
        storageKey: `${holdfast.actor.workspaceId}/${randomUUID()}.zip`,
      },
    });
    return record.id;
  }

  test('fails when that server is gone, and says that it has to be given again', async () => {
    let id = '';
    await withEngine(async (holdfast) => {
      id = await queued(holdfast, DEAD);
    });
    await withEngine(
      async (holdfast) => {
        expect(await holdfast.finished(id)).toMatchObject({
          status: 'FAILED',
          error: {
            message: expect.stringContaining('before the record began'),
            hint: expect.stringContaining('never written down: give it again'),
          },
        });
        expect(await holdfast.leftovers()).toEqual([]);
      },
      () => ({ identity: server('next', [DEAD]) }),
    );
  });

  test('is left to that server while it may be alive', async () => {
    let id = '';
    await withEngine(async (holdfast) => {
      id = await queued(holdfast, 'other-host/1/alive');
    });
    await withEngine(
      async (holdfast) => {
        expect(await holdfast.record(id)).toMatchObject({ status: 'QUEUED', leaseOwner: null });
        await holdfast.engine.cancelRecord(holdfast.actor, id);
      },
      () => ({ identity: server('next') }),
    );
  });
});
