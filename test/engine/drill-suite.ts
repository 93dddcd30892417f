/** What a drill must do on every kind of database: prove, leave nothing behind, touch nothing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DrillSettings, RecordRow } from '../../src/catalog/catalog.ts';
import { HoldfastError } from '../../src/errors.ts';
import { EVERYTHING, TestEngine } from '../support/engine.ts';
import type { Application } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';
import { FaultyEngine } from '../support/faulty-engine.ts';
import { type Forgery, forgeBackup } from '../support/forged-backup.ts';

/** How the suite reaches one kind of database. */
export interface DrillTarget {
  /** Makes of the statement for the table `author` one that does not take its rows as they are. */
  readonly spoil: { column(sql: string): string; readonly told: RegExp };
  make(directory: string): Promise<Application>;
  readonly drill: DrillSettings;
  /** Names of the databases on the server. */
  databases(): Promise<string[]>;
}

/** Runs the suite. */
export function drillSuite({ make, drill, databases, spoil }: DrillTarget): void {
  let home: string;
  let application: Application;
  let faulty: FaultyEngine;
  let holdfast: TestEngine;
  let sourceId: string;
  let backupId: string;

  beforeAll(async () => {
    faulty = await FaultyEngine.start();
    holdfast = faulty.holdfast;
    home = await mkdtemp(join(tmpdir(), 'holdfast-drill-'));
    application = await make(join(holdfast.root, 'app'));
    sourceId = (await holdfast.engine.createSource(holdfast.actor, { ...application.definition, drill })).id;
    backupId = (await holdfast.backUp(sourceId, { ...EVERYTHING, envFile: true })).backupId;
  });

  afterAll(async () => {
    await holdfast.remove();
    await application.dispose();
    await rm(home, { recursive: true, force: true });
  });

  async function verify(): Promise<RecordRow> {
    const { engine, actor } = holdfast;
    return await holdfast.finished(await engine.verifyBackup(actor, { backupId, level: 'RESTORE' }));
  }

  async function certificates(): Promise<unknown[]> {
    return await holdfast.opened.prisma.certificate.findMany({
      where: { backupId },
      orderBy: { finishedAt: 'asc' },
    });
  }

  test('a good backup is proven: restored, read back, certified, and nothing of it stays', async () => {
    const before = await databases();
    const content = await application.content();
    const record = await verify();
    expect(record).toMatchObject({
      status: 'SUCCEEDED',
      error: null,
      warnings: [],
      result: { kind: 'VERIFY', level: 'RESTORE', verdict: 'PASSED', rowsChecked: 7, problems: [] },
    });
    expect(record.phases.map(({ name }) => name)).toEqual([
      'CHECKSUM',
      'CONTENT',
      'SCRATCH',
      'STAGE_FILES',
      'CLEAR_TABLES',
      'LOAD_TABLES',
      'CONSTRAINTS',
      'COMMIT',
      'PROVE',
      'CLEAN_UP',
    ]);
    expect(await certificates()).toMatchObject([
      {
        recordId: record.id,
        level: 'RESTORE',
        verdict: 'PASSED',
        rows: 7n,
        files: 5n,
        restoreSeconds: expect.any(Number),
        tables: [
          { name: 'author', rows: 3, digest: expect.stringMatching(/^[0-9a-f]{32}$/) },
          { name: 'book', rows: 4, digest: expect.stringMatching(/^[0-9a-f]{32}$/) },
        ],
      },
    ]);
    expect(await databases()).toEqual(before);
    expect(await application.content()).toEqual(content);
    expect(await application.leftovers()).toEqual([]);
    expect(await holdfast.leftovers()).toEqual([]);
  });

  test('a cancellation in its middle leaves nothing, and no verdict', async () => {
    const before = await databases();
    const known = (await certificates()).length;
    const canceled = await faulty.cancelAt('after load of author', () =>
      holdfast.engine.verifyBackup(holdfast.actor, { backupId, level: 'RESTORE' }),
    );
    expect(canceled.status).toBe('CANCELED');
    expect(await databases()).toEqual(before);
    expect(await holdfast.leftovers()).toEqual([]);
    expect(await certificates()).toHaveLength(known);
  });

  test('a full disk in its middle fails the record without a verdict on the backup, and leaves nothing', async () => {
    const before = await databases();
    const known = (await certificates()).length;
    faulty.once('after load of author', () => {
      throw new HoldfastError('STORAGE_FULL', 'No room.');
    });
    expect(await verify()).toMatchObject({
      status: 'FAILED',
      error: { code: 'STORAGE_FULL', phase: 'LOAD_TABLES' },
    });
    expect(await databases()).toEqual(before);
    expect(await holdfast.leftovers()).toEqual([]);
    expect(await certificates()).toHaveLength(known);
  });

  test('the source cannot be deleted or moved to another server meanwhile, nor the backup be deleted', async () => {
    const { engine, actor } = holdfast;
    const held = faulty.hold('after load of author');
    const record = await engine.verifyBackup(actor, { backupId, level: 'RESTORE' });
    await held.reached;
    await expect(
      engine.updateSource(actor, sourceId, { drill: { onOwnServer: !drill.onOwnServer } }),
    ).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await expect(engine.deleteSource(actor, sourceId)).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await expect(engine.deleteBackup(actor, backupId)).rejects.toMatchObject({ code: 'LOCK_HELD' });
    // Another backup of the source need not wait for it.
    expect((await holdfast.backUp(sourceId)).status).toBe('SUCCEEDED');
    held.release();
    expect((await holdfast.finished(record)).status).toBe('SUCCEEDED');
  });

  describe('a bundle that is whole and yet does not come back as it says', () => {
    test.each<[string, Forgery, RegExp]>([
      [
        'a column of its structure alters or refuses the rows',
        {
          schema: (schema) => ({
            ...schema,
            before: schema.before.map((statement) => ({ ...statement, sql: spoil.column(statement.sql) })),
          }),
        },
        spoil.told,
      ],
      [
        'a foreign key is not in its structure',
        {
          schema: ({ before, after, notCarried }) => ({
            before: before.map((statement) => ({
              ...statement,
              sql: statement.sql.replace(
                /,?\s*CONSTRAINT \S+ FOREIGN KEY [^\n]*| REFERENCES author \(id\)/,
                '',
              ),
            })),
            after: after.filter(({ sql }) => !sql.includes('FOREIGN KEY')),
            notCarried,
          }),
        },
        /book lacks the foreign key/,
      ],
      [
        'a sequence of its manifest is nowhere',
        {
          database: (database) => ({
            ...database,
            sequences: [
              { schema: database.tables[0]?.schema ?? null, name: 'nowhere', lastValue: '7', isCalled: true },
            ],
          }),
        },
        /nowhere/,
      ],
    ])('fails, since %s', async (_what, forgery, told) => {
      const before = await databases();
      const forged = await holdfast.backUp(sourceId);
      await forgeBackup(holdfast, forged.backupId, forgery);
      const { engine, actor, opened } = holdfast;
      const where = { id: forged.backupId };
      const content = await holdfast.finished(
        await engine.verifyBackup(actor, { backupId: forged.backupId, level: 'CONTENT' }),
      );
      expect(content.status).toBe('SUCCEEDED');
      const record = await holdfast.finished(
        await engine.verifyBackup(actor, { backupId: forged.backupId, level: 'RESTORE' }),
      );
      expect(record).toMatchObject({
        status: 'FAILED',
        error: { code: 'INVALID_CHECKSUM', message: expect.stringMatching(told) },
        result: {
          verdict: 'FAILED',
          restoreSeconds: null,
          problems: expect.arrayContaining([{ entry: null, message: expect.stringMatching(told) }]),
        },
      });
      expect(await opened.prisma.backup.findUniqueOrThrow({ where })).toMatchObject({
        lastVerdict: 'FAILED',
      });
      // A look at the surface does not lift what the drill has found.
      const surface = await holdfast.finished(
        await engine.verifyBackup(actor, { backupId: forged.backupId, level: 'CHECKSUM' }),
      );
      expect(surface.status).toBe('SUCCEEDED');
      expect(await opened.prisma.backup.findUniqueOrThrow({ where })).toMatchObject({
        lastVerdict: 'FAILED',
      });
      expect(await databases()).toEqual(before);
      expect(await holdfast.leftovers()).toEqual([]);
    });
  });

  test.each(['after scratch', 'after load of author', 'after commit', 'before drop'])(
    'killed %s, it is ended truthfully by recovery, which drops what it had made',
    async (killAt) => {
      const before = await databases();
      const child = await TestEngine.start(undefined, home);
      const actor = child.actor;
      const inHome = await make(join(child.root, `app-${killAt.replaceAll(' ', '-')}`));
      try {
        const definition = { ...inHome.definition, name: killAt, drill };
        const source = await child.engine.createSource(actor, definition);
        const backup = await child.backUp(source.id);
        await child.stop();
        await runKilled({
          directory: home,
          killAt,
          work: { kind: 'VERIFY', request: { backupId: backup.backupId, level: 'RESTORE' } },
        });
        expect(await databases()).not.toEqual(before);
        const again = await TestEngine.start(undefined, home);
        try {
          expect(await again.lastRecord()).toMatchObject({
            kind: 'VERIFY',
            status: 'FAILED',
            result: null,
            warnings: [],
            error: { code: 'INTERNAL', hint: 'Verify the backup again.' },
          });
          expect(await again.leftovers()).toEqual([]);
          expect(await again.opened.prisma.certificate.count({ where: { backupId: backup.backupId } })).toBe(
            0,
          );
        } finally {
          await again.stop();
        }
      } finally {
        await inHome.dispose();
      }
      expect(await databases()).toEqual(before);
    },
  );
}
