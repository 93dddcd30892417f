import { appendFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Application, postgresApplication, sqliteApplication } from '../support/engine-application.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';

let faulty: FaultyEngine;
let application: Application;
let sourceId: string;
let uploads: string;

beforeAll(async () => {
  faulty = await FaultyEngine.start();
  const { holdfast } = faulty;
  application = await sqliteApplication(join(holdfast.root, 'app'));
  uploads = join(application.directory, 'uploads');
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
});

afterAll(async () => {
  await faulty.holdfast.remove();
});

afterEach(async () => {
  faulty.at = () => undefined;
  expect(await faulty.holdfast.leftovers()).toEqual([]);
});

describe('a database that cannot be read', () => {
  test('fails the backup with the reason, and keeps the password out of record and log', async () => {
    const { holdfast } = faulty;
    const url = Object.assign(new URL(inject('postgresUrl')), { password: 'hunter2-secret' });
    const wrong = await holdfast.engine.createSource(holdfast.actor, {
      ...application.definition,
      name: 'Wrong password',
      database: { kind: 'POSTGRESQL', url: url.href },
    });
    const record = await faulty.create(wrong.id);
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { code: 'SOURCE_UNREACHABLE', phase: 'SNAPSHOT', message: expect.stringContaining('password') },
    });
    expect(record.error?.hint).not.toBeNull();
    const events = await holdfast.opened.prisma.recordEvent.findMany();
    expect(
      JSON.stringify([record, events], (_key, value) => (typeof value === 'bigint' ? `${value}` : value)),
    ).not.toContain('hunter2');
    expect(faulty.log).toContain(record.id);
    expect(faulty.log).not.toContain('hunter2');
  });

  test('that nobody listens at fails the backup and says what to check', async () => {
    const { holdfast } = faulty;
    const nobody = await holdfast.engine.createSource(holdfast.actor, {
      ...application.definition,
      name: 'Nobody listens',
      database: { kind: 'POSTGRESQL', url: 'postgresql://u:hunter2-secret@127.0.0.1:1/x' },
    });
    const record = await faulty.create(nobody.id);
    expect(record).toMatchObject({
      status: 'FAILED',
      error: {
        code: 'SOURCE_UNREACHABLE',
        phase: 'SNAPSHOT',
        hint: expect.stringContaining('host and port'),
      },
    });
    expect(faulty.log).not.toContain('hunter2');
  });

  test('whose table is dropped while it is backed up never gives a bundle without saying so', async () => {
    const { holdfast } = faulty;
    const app = await postgresApplication(join(holdfast.root, 'dropping'), inject('postgresUrl'));
    try {
      const source = await holdfast.engine.createSource(holdfast.actor, {
        ...app.definition,
        name: 'Dropping',
      });
      let dropping: Promise<unknown> = Promise.resolve();
      faulty.once('in snapshot', () => {
        // The snapshot may make it wait; it is done at the latest when the backup is.
        dropping = app.execute('DROP TABLE book');
      });
      const record = await faulty.create(source.id);
      await dropping;
      // The snapshot holds on to its tables, so the bundle has all of them.
      expect(record).toMatchObject({ status: 'SUCCEEDED', result: { tables: 2, rows: 7 } });
      const second = await faulty.create(source.id);
      expect(second).toMatchObject({ status: 'SUCCEEDED', result: { tables: 1, rows: 3 } });
      const gone = await holdfast.finished(
        await holdfast.engine.createBackup(holdfast.actor, {
          sourceId: source.id,
          selection: {
            database: true,
            tables: [{ schema: 'public', name: 'book' }],
            trees: [],
            configTrees: [],
            envFile: false,
          },
        }),
      );
      expect(gone).toMatchObject({ status: 'FAILED', error: { code: 'INVALID_INPUT', phase: 'TABLES' } });
    } finally {
      await app.dispose();
    }
  });

  test('whose server ends the connection in the middle fails the backup', async () => {
    const { holdfast } = faulty;
    const app = await postgresApplication(join(holdfast.root, 'ending'), inject('postgresUrl'));
    try {
      const source = await holdfast.engine.createSource(holdfast.actor, {
        ...app.definition,
        name: 'Ending',
      });
      faulty.once('in rows of author', () =>
        app.execute(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
        ),
      );
      expect(await faulty.create(source.id)).toMatchObject({
        status: 'FAILED',
        error: { code: 'SOURCE_UNREACHABLE', phase: 'TABLES' },
      });
    } finally {
      await app.dispose();
    }
  });
});

test('a catalog that fails right after the snapshot was opened leaves no snapshot open', async () => {
  const { holdfast } = faulty;
  const app = await postgresApplication(join(holdfast.root, 'failing'), inject('postgresUrl'));
  try {
    const source = await holdfast.engine.createSource(holdfast.actor, { ...app.definition, name: 'Failing' });
    faulty.once('before PHASE_FINISHED SNAPSHOT', () => {
      throw new Error('the catalog is busy');
    });
    expect(await faulty.create(source.id)).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL' } });
    // What a snapshot holds on to cannot be dropped.
    await app.execute("SET lock_timeout = '5s'; DROP TABLE book");
  } finally {
    await app.dispose();
  }
});

describe('a file that changes while it is backed up', () => {
  test('and vanishes is left out, with a warning that names it', async () => {
    await writeFile(join(uploads, 'vanishing.txt'), 'x');
    faulty.once('before file vanishing.txt', () => rm(join(uploads, 'vanishing.txt')));
    const record = await faulty.create(sourceId);
    expect(record).toMatchObject({ status: 'SUCCEEDED', result: { files: 3 } });
    expect(record.warnings).toEqual([
      expect.stringMatching(/uploads\/vanishing\.txt was left out: it vanished/),
    ]);
    const backup = await faulty.holdfast.opened.prisma.backup.findUniqueOrThrow({
      where: { id: record.backupId ?? '' },
    });
    expect(JSON.stringify(backup.manifest)).toContain('vanishing.txt was left out');
  });

  test('and grows is taken as long as it was, with a warning that names it', async () => {
    const path = join(uploads, 'growing.txt');
    await writeFile(path, 'x'.repeat(100));
    faulty.once('after open of growing.txt', () => appendFile(path, 'y'.repeat(50)));
    const record = await faulty.create(sourceId);
    await rm(path);
    expect(record.status).toBe('SUCCEEDED');
    expect(record.warnings).toEqual([
      expect.stringMatching(/uploads\/growing\.txt changed while it was read: .*100.*150/),
    ]);
    const verified = await faulty.holdfast.finished(
      await faulty.holdfast.engine.verifyBackup(faulty.holdfast.actor, {
        backupId: record.backupId ?? '',
        level: 'CONTENT',
      }),
    );
    expect(verified.status).toBe('SUCCEEDED');
  });

  test('and becomes a link is left out, with a warning that names it', async () => {
    const path = join(uploads, 'turning.txt');
    await writeFile(path, 'x');
    faulty.once('before file turning.txt', async () => {
      await rm(path);
      await symlink('/etc/passwd', path);
    });
    const record = await faulty.create(sourceId);
    await rm(path);
    expect(record.warnings).toEqual([expect.stringMatching(/uploads\/turning\.txt was left out: .*link/)]);
  });
});

describe('a backup that is canceled', () => {
  test.each([
    'after PHASE_STARTED SNAPSHOT',
    'in snapshot',
    'in rows of book',
    'before file nested/b.txt',
    'after PHASE_STARTED STORE',
  ])('at "%s" ends as canceled and leaves nothing', async (point) => {
    const { engine, actor } = faulty.holdfast;
    const before = await faulty.holdfast.opened.prisma.backup.count();
    const record = await faulty.cancelAt(point, () =>
      engine.createBackup(actor, {
        sourceId,
        selection: { database: true, tables: null, trees: null, configTrees: null, envFile: false },
      }),
    );
    expect(record).toMatchObject({ status: 'CANCELED', error: { code: 'CANCELED' }, backupId: null });
    expect(await faulty.holdfast.opened.prisma.backup.count()).toBe(before);
  });

  test('when its bundle is stored already is finished, and says so', async () => {
    const { engine, actor } = faulty.holdfast;
    const record = await faulty.cancelAt('after store', () =>
      engine.createBackup(actor, {
        sourceId,
        selection: { database: true, tables: null, trees: null, configTrees: null, envFile: false },
      }),
    );
    expect(record.status).toBe('SUCCEEDED');
    expect(record.backupId).not.toBeNull();
  });
});
