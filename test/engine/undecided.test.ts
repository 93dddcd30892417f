/** Restores whose process or database goes away in their COMMIT, and the two ways to end them. */
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { DatabaseSettings, RecordRow } from '../../src/catalog/catalog.ts';
import type { EngineParts } from '../../src/engine/parts.ts';
import { HoldfastError } from '../../src/errors.ts';
import { markerOf } from '../../src/source/database/sqlite/outcome.ts';
import { restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, postgresApplication, sqliteApplication } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';
import { type AtPoint, withPoints } from '../support/kill-points.ts';

let home: string;
let application: Application;
let sourceId: string;
let backupId: string;
let bundled: unknown;
let wrecked: unknown;

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** How long a condition may take on a busy machine. */
const patience = { timeout: 25_000 };
const without = { preRestoreBackup: 'NONE' } as const;

beforeAll(() => {
  // Recovery's sweeps and the renewal of leases use intervals; here nothing happens but what is asked for.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterAll(() => {
  vi.useRealTimers();
});

async function withEngine(
  work: (holdfast: TestEngine) => Promise<void>,
  change: (parts: EngineParts) => Partial<EngineParts> = () => ({}),
): Promise<void> {
  const holdfast = await TestEngine.start((parts) => ({ log: silent, ...change(parts) }), home);
  try {
    await work(holdfast);
  } finally {
    await holdfast.stop();
  }
}

async function begin(make: (directory: string) => Promise<Application>): Promise<void> {
  home = await mkdtemp(join(tmpdir(), 'holdfast-undecided-'));
  application = await make(join(home, 'root/app'));
  bundled = await application.content();
  await withEngine(async (holdfast) => {
    sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
    backupId = (await holdfast.backUp(sourceId)).backupId;
  });
}

async function end(): Promise<void> {
  await application.dispose();
  await rm(home, { recursive: true, force: true });
}

async function wreck(): Promise<void> {
  await application.wreck();
  wrecked = await application.content();
}

async function dieAt(killAt: string): Promise<void> {
  await runKilled({
    directory: home,
    killAt,
    work: { kind: 'RESTORE', request: restoreOf(backupId, without) },
  });
}

/** The one restore that waits for its database. */
async function undecided(holdfast: TestEngine): Promise<RecordRow> {
  const [record, ...others] = await holdfast.parts.catalog.records.unfinished();
  expect(others).toEqual([]);
  expect(record).toMatchObject({ kind: 'RESTORE', status: 'RUNNING' });
  if (record === undefined) throw new Error('nothing is undecided');
  return record;
}

const locked = { code: 'LOCK_HELD' };

describe('a restore into PostgreSQL whose server died, and whose password was changed', () => {
  let url: string;

  beforeAll(async () => {
    await begin((directory) => postgresApplication(directory, inject('postgresUrl')));
    const { database } = application.definition;
    if (database?.kind !== 'POSTGRESQL') throw new Error('the application has another database');
    url = database.url;
  });
  afterAll(end);
  beforeEach(wreck);

  async function changePassword(from: string, to: string): Promise<void> {
    const client = new pg.Client({ connectionString: from });
    await client.connect();
    try {
      await client.query(`ALTER ROLE CURRENT_USER PASSWORD '${new URL(to).password}'`);
    } finally {
      await client.end();
    }
  }

  function withPassword(password: string): string {
    return Object.assign(new URL(url), { password }).href;
  }

  test.each([
    ['after commit', 'SUCCEEDED', 'WHOLLY_NEW'],
    // A tree is not where it belongs then, and nobody may mind.
    ['within swap', 'FAILED', 'WHOLLY_OLD'],
  ])('at "%s" is settled as soon as the source has the new one', async (killAt, status, targetState) => {
    await dieAt(killAt);
    const moved = withPassword('another-secret');
    await changePassword(url, moved);
    try {
      await withEngine(async (holdfast) => {
        const { engine, actor } = holdfast;
        const update = (change: object) => engine.updateSource(actor, sourceId, change);
        const at = (address: string) => ({ database: { kind: 'POSTGRESQL', url: address } as const });
        const { id, warnings } = await undecided(holdfast);
        expect(warnings).toEqual([expect.stringMatching(/not settled yet.*password.*updateSource/)]);

        const waits = { ...locked, hint: expect.stringContaining('address of the database') };
        await expect(update({ name: 'Other' })).rejects.toMatchObject(waits);
        await expect(update({ ...at(moved), trees: [] })).rejects.toMatchObject(waits);
        await expect(update({ database: null })).rejects.toMatchObject(waits);
        await expect(engine.deleteSource(actor, sourceId)).rejects.toMatchObject(waits);
        await expect(
          update({ database: { kind: 'SQLITE', path: join(holdfast.root, 'a') } }),
        ).rejects.toMatchObject(waits);

        await update(at(withPassword('a-wrong-one')));
        await holdfast.engine.updateSource(actor, sourceId, { ...at(moved), name: 'Shop' });
        const ended = await holdfast.finished(id);
        expect(ended).toMatchObject({ status, result: { targetState } });
        if (status === 'FAILED') expect(ended.error?.message).toContain('The server stopped in phase COMMIT');
        expect(await application.content()).toEqual(status === 'FAILED' ? wrecked : bundled);
        expect(await holdfast.leftovers()).toEqual([]);
        await update({ name: 'Shop' });
      });
    } finally {
      await changePassword(moved, url);
      await withEngine(async ({ engine, actor }) => {
        await engine.updateSource(actor, sourceId, { database: { kind: 'POSTGRESQL', url } });
      });
    }
  });
});

describe('a restore into SQLite', () => {
  /** While true, the database is not to be asked. */
  let gone = false;
  let at: AtPoint = () => undefined;
  /** What an answer of the database waits for. */
  let silence: Promise<void> = Promise.resolve();

  beforeAll(() => begin(sqliteApplication));
  afterAll(end);
  beforeEach(async () => {
    gone = false;
    at = () => undefined;
    silence = Promise.resolve();
    await wreck();
  });
  afterEach(() =>
    withEngine(async (holdfast) => {
      expect(await holdfast.leftovers()).toEqual([]);
    }),
  );

  const faulty = (parts: EngineParts): Partial<EngineParts> =>
    withPoints(
      {
        ...parts,
        async openDatabase(settings: DatabaseSettings) {
          const database = await parts.openDatabase(settings);
          return {
            ...database,
            async outcome(ticket, signal) {
              await silence;
              if (gone) throw new HoldfastError('SOURCE_UNREACHABLE', 'Nobody listens.');
              return await database.outcome(ticket, signal);
            },
          };
        },
      },
      (point) => at(point),
    );

  async function decide(
    holdfast: TestEngine,
    id: string,
    state: 'WHOLLY_OLD' | 'WHOLLY_NEW',
  ): Promise<RecordRow> {
    return await holdfast.engine.decideRestore(holdfast.actor, id, state);
  }

  describe('whose database goes away while its server lives', () => {
    test.each([
      ['after commit', 'SUCCEEDED', 'WHOLLY_NEW'],
      ['before commit', 'FAILED', 'WHOLLY_OLD'],
    ] as const)(
      'at "%s" says so, and does not blame the server when it ends',
      async (point, status, state) => {
        await withEngine(async (holdfast) => {
          const { engine, actor } = holdfast;
          at = (passed) => {
            if (passed !== point) return;
            gone = true;
            throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection broke during COMMIT.');
          };
          const { id } = await engine.restoreBackup(actor, restoreOf(backupId, without));
          await expect
            .poll(async () => (await holdfast.record(id)).warnings, patience)
            .toEqual([expect.stringContaining('Nobody listens.')]);
          at = () => undefined;
          gone = false;
          // The same address is as good as a new one: it is asked again.
          const { database } = application.definition;
          await expect
            .poll(
              () =>
                engine.updateSource(actor, sourceId, { database }).then(
                  () => 'asked',
                  () => 'running',
                ),
              patience,
            )
            .toBe('asked');
          const ended = await holdfast.finished(id);
          expect(ended).toMatchObject({ status, result: { targetState: state } });
          expect(JSON.stringify(ended)).not.toContain('server stopped');
          if (status === 'FAILED') expect(ended.error).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
          expect(await application.content()).toEqual(state === 'WHOLLY_NEW' ? bundled : wrecked);
        }, faulty);
      },
    );
  });

  describe('that an owner decides', () => {
    test('to have taken effect keeps the new files, and says who decided', async () => {
      await dieAt('after commit');
      gone = true;
      await withEngine(async (holdfast) => {
        const { id } = await undecided(holdfast);
        await decide(holdfast, id, 'WHOLLY_NEW');
        const ended = await holdfast.finished(id);
        expect(ended).toMatchObject({
          status: 'SUCCEEDED',
          error: null,
          result: { targetState: 'WHOLLY_NEW', decidedBy: 'owner', rowsRestored: 7 },
        });
        expect(ended.warnings).toContainEqual(
          expect.stringMatching(/owner decided that the restore took effect.*not asked/),
        );
        expect(await application.content()).toEqual(bundled);
        expect(await holdfast.leftovers()).toEqual([]);
        await expect(decide(holdfast, id, 'WHOLLY_NEW')).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          field: 'recordId',
          message: expect.stringContaining('It has ended as SUCCEEDED.'),
        });
      }, faulty);
    });

    test('not to have taken effect puts the old files back, says who decided, and frees the source', async () => {
      await dieAt('before commit');
      gone = true;
      await withEngine(async (holdfast) => {
        const { id } = await undecided(holdfast);
        await decide(holdfast, id, 'WHOLLY_OLD');
        expect(await holdfast.finished(id)).toMatchObject({
          status: 'FAILED',
          error: {
            code: 'SOURCE_UNREACHABLE',
            phase: 'COMMIT',
            message: expect.stringMatching(/owner decided that it did not take effect.*not asked/),
          },
          result: { targetState: 'WHOLLY_OLD', decidedBy: 'owner', rolledBack: true },
        });
        expect(await application.content()).toEqual(wrecked);
        expect(await holdfast.leftovers()).toEqual([]);
        expect((await holdfast.backUp(sourceId)).status).toBe('SUCCEEDED');
      }, faulty);
    });

    test('stays decided when it cannot be carried out at once, whatever the database says later', async () => {
      await dieAt('before commit');
      gone = true;
      let id = '';
      await withEngine(async (holdfast) => {
        id = (await undecided(holdfast)).id;
        at = (point) => {
          if (point === 'before swap back' || point.startsWith('before swap of'))
            throw new HoldfastError('SOURCE_UNREACHABLE', 'The disk is not there.');
        };
        await decide(holdfast, id, 'WHOLLY_OLD');
        await expect
          .poll(async () => (await holdfast.record(id)).warnings, patience)
          .toContainEqual(expect.stringContaining('The disk is not there.'));
        await expect(decide(holdfast, id, 'WHOLLY_NEW')).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('decided already: WHOLLY_OLD'),
        });
      }, faulty);
      at = () => undefined;
      // Would say COMMITTED, were it asked.
      const lying = (parts: EngineParts): Partial<EngineParts> => ({
        openDatabase: async (settings) => ({
          ...(await parts.openDatabase(settings)),
          outcome: async () => 'COMMITTED',
        }),
        identity: { owner: 'this-host/1/next', isDead: () => true },
      });
      await withEngine(async (holdfast) => {
        expect(await holdfast.finished(id)).toMatchObject({
          status: 'FAILED',
          result: { targetState: 'WHOLLY_OLD', decidedBy: 'owner' },
        });
        expect(await application.content()).toEqual(wrecked);
      }, lying);
    });

    test('while recovery asks waits for the answer, and is refused when there is one', async () => {
      await dieAt('after commit');
      gone = true;
      await withEngine(async (holdfast) => {
        const { id } = await undecided(holdfast);
        gone = false;
        const { promise, resolve } = Promise.withResolvers<void>();
        silence = promise;
        const { database } = application.definition;
        await holdfast.engine.updateSource(holdfast.actor, sourceId, { database });
        const decision = decide(holdfast, id, 'WHOLLY_OLD');
        resolve();
        await expect(decision).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('It has ended as SUCCEEDED.'),
        });
        expect(await application.content()).toEqual(bundled);
      }, faulty);
    });

    test('is refused while it runs, here or on another server, and when it is not to be decided', async () => {
      await withEngine(async (holdfast) => {
        const { engine, actor } = holdfast;
        const reached = Promise.withResolvers<void>();
        const released = Promise.withResolvers<void>();
        at = async (point) => {
          if (point !== 'after swap of uploads') return;
          reached.resolve();
          await released.promise;
        };
        const { id } = await engine.restoreBackup(actor, restoreOf(backupId, without));
        await reached.promise;
        await expect(decide(holdfast, id, 'WHOLLY_OLD')).rejects.toMatchObject(locked);
        const { database } = application.definition;
        await expect(engine.updateSource(actor, sourceId, { database })).rejects.toMatchObject(locked);
        released.resolve();
        expect(await holdfast.finished(id)).toMatchObject({ status: 'SUCCEEDED' });

        const verified = await engine.verifyBackup(actor, { backupId, level: 'CONTENT' });
        await expect(decide(holdfast, verified.id, 'WHOLLY_OLD')).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('It is no restore.'),
        });
        await holdfast.finished(verified);
        const stranger = { ...actor, workspaceId: 'another' };
        await expect(engine.decideRestore(stranger, id, 'WHOLLY_OLD')).rejects.toMatchObject({
          code: 'NOT_FOUND',
        });
      }, faulty);
      await wreck();
      await dieAt('after commit');
      gone = true;
      await withEngine(async (holdfast) => {
        const { id, leaseOwner } = await undecided(holdfast);
        const { record } = holdfast.opened.prisma;
        await record.update({ where: { id }, data: { leaseOwner: 'another-host/1/1' } });
        await expect(decide(holdfast, id, 'WHOLLY_NEW')).rejects.toMatchObject(locked);
        const { database } = application.definition;
        await expect(
          holdfast.engine.updateSource(holdfast.actor, sourceId, { database }),
        ).rejects.toMatchObject(locked);
        await record.update({ where: { id }, data: { leaseOwner } });
        await decide(holdfast, id, 'WHOLLY_NEW');
        await holdfast.finished(id);
      }, faulty);
    });
  });

  describe('whose database file was moved', () => {
    async function move(from: string, to: string): Promise<void> {
      for (const suffix of ['', '-wal', '-shm']) {
        if (existsSync(from + suffix)) await rename(from + suffix, to + suffix);
      }
    }

    async function moved(work: (holdfast: TestEngine, path: string) => Promise<void>): Promise<void> {
      const { database } = application.definition;
      if (database?.kind !== 'SQLITE') throw new Error('the application has another database');
      const path = join(home, 'root/moved.sqlite');
      await move(database.path, path);
      try {
        await withEngine((holdfast) => work(holdfast, path));
      } finally {
        await move(path, database.path);
      }
      await withEngine(async ({ engine, actor }) => {
        await engine.updateSource(actor, sourceId, { database });
      });
    }

    test('is known again by the mark of the restore', async () => {
      await dieAt('after commit');
      await moved(async (holdfast, path) => {
        const { id } = await undecided(holdfast);
        await holdfast.engine.updateSource(holdfast.actor, sourceId, { database: { kind: 'SQLITE', path } });
        expect(await holdfast.finished(id)).toMatchObject({
          status: 'SUCCEEDED',
          result: { targetState: 'WHOLLY_NEW' },
        });
      });
      expect(await application.content()).toEqual(bundled);
    });

    test('is decided all the same, and not looked for', async () => {
      await dieAt('after commit');
      let id = '';
      await moved(async (holdfast) => {
        id = (await undecided(holdfast)).id;
        await decide(holdfast, id, 'WHOLLY_NEW');
        expect(await holdfast.finished(id)).toMatchObject({
          status: 'SUCCEEDED',
          result: { targetState: 'WHOLLY_NEW', decidedBy: 'owner' },
        });
      });
      // A file that comes back still has the mark, which no backup takes.
      await application.execute(`DROP TABLE "${markerOf(id)}"`);
      expect(await application.content()).toEqual(bundled);
    });

    test('is not taken for one that rolled back when another file has no mark', async () => {
      await dieAt('before commit');
      await moved(async (holdfast, path) => {
        const { id } = await undecided(holdfast);
        await holdfast.engine.updateSource(holdfast.actor, sourceId, { database: { kind: 'SQLITE', path } });
        await expect
          .poll(async () => (await holdfast.record(id)).warnings, patience)
          .toContainEqual(expect.stringContaining('no mark of the restore'));
        await decide(holdfast, id, 'WHOLLY_OLD');
        expect(await holdfast.finished(id)).toMatchObject({ result: { targetState: 'WHOLLY_OLD' } });
      });
      expect(await application.content()).toEqual(wrecked);
    });
  });
});
