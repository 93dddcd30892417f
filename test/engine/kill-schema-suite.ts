/** What must hold whatever moment a restore dies at that makes the structure too. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreOf, TestEngine } from '../support/engine.ts';
import type { Application, ApplicationContent } from '../support/engine-application.ts';
import { runKilled } from '../support/engine-kill.ts';

/** Where the process is killed, and on which side everything must be afterwards. */
const POINTS: readonly [phase: string, point: string, state: 'WHOLLY_OLD' | 'WHOLLY_NEW'][] = [
  ['CLEAR_TABLES', 'after clear', 'WHOLLY_OLD'],
  ['LOAD_TABLES', 'after load of author', 'WHOLLY_OLD'],
  ['CONSTRAINTS', 'after constraints', 'WHOLLY_OLD'],
  ['PROVE', 'in proof', 'WHOLLY_OLD'],
  ['COMMIT, before the journal', 'after ticket', 'WHOLLY_OLD'],
  ["COMMIT, before the database's", 'before commit', 'WHOLLY_OLD'],
  ["COMMIT, after the database's", 'after commit', 'WHOLLY_NEW'],
  ['COMMIT, when the database has forgotten', 'after forget', 'WHOLLY_NEW'],
  ['COMMIT, before the catalog knows', 'before result', 'WHOLLY_NEW'],
];

const NOTHING = [
  'DROP VIEW IF EXISTS name',
  'DROP TABLE IF EXISTS later',
  'DROP TABLE IF EXISTS book',
  'DROP TABLE IF EXISTS author',
];

/** What the application had, and what nothing but its schema carries. */
const STRUCTURE = [
  'CREATE INDEX book_author ON book (author_id)',
  'CREATE VIEW name AS SELECT name FROM author',
];

/** The same tables, altered, and one that came later and points to one of them. */
const ALTERED = [
  ...NOTHING,
  'CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL)',
  'CREATE TABLE book (id INTEGER PRIMARY KEY, author_id INTEGER, title TEXT, isbn VARCHAR(20))',
  'CREATE TABLE later (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id))',
  "INSERT INTO author VALUES (1, 'nobody'), (2, 'somebody')",
  "INSERT INTO book VALUES (7, 2, 'Other', '1')",
  'INSERT INTO later VALUES (1, 2)',
];

/** Runs the suite. @param make an application in a directory */
export function killSchemaSuite(make: (directory: string) => Promise<Application>): void {
  let home: string;
  let application: Application;
  let backupId: string;
  let bundled: ApplicationContent;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
    application = await make(join(home, 'root/app'));
    await application.execute(...STRUCTURE);
    bundled = await application.content();
    await withEngine(async (holdfast) => {
      const source = await holdfast.engine.createSource(holdfast.actor, application.definition);
      backupId = (await holdfast.backUp(source.id)).backupId;
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

  describe.each([
    ['into an empty database', NOTHING],
    ['over an altered structure', ALTERED],
  ] as const)('a restore %s whose process is killed', (_into, before) => {
    test.each(POINTS)('in %s leaves structure, rows and files together on one side', async (...row) => {
      const [, killAt, state] = row;
      await application.execute(...before);
      const old = await application.content();
      const request = restoreOf(backupId, { preRestoreBackup: 'NONE', onDrift: 'RESTORE_SCHEMA' });
      await runKilled({ directory: home, killAt, work: { kind: 'RESTORE', request } });
      await withEngine(async (holdfast) => {
        const record = await holdfast.lastRecord();
        const later = (things: ApplicationContent['structure']) =>
          things.filter(([name]) => /\blater/.test(name));
        const sorted = (things: ApplicationContent['structure']) =>
          things.toSorted(([a], [b]) => (a < b ? -1 : 1));
        const expected =
          state === 'WHOLLY_OLD'
            ? old
            : {
                ...bundled,
                rows: [...bundled.rows, ...later(old.rows)],
                structure: [...bundled.structure, ...later(old.structure)],
              };
        const found = await application.content();
        expect({ ...found, structure: sorted(found.structure) }).toEqual({
          ...expected,
          structure: sorted(expected.structure),
        });
        expect(record).toMatchObject({
          status: state === 'WHOLLY_NEW' ? 'SUCCEEDED' : 'FAILED',
          result: { targetState: state },
        });
        expect(await holdfast.leftovers()).toEqual([]);
      });
    });

    test('is followed by one that works', async () => {
      await application.execute(...before);
      await withEngine(async (holdfast) => {
        const restored = await holdfast.restore(
          restoreOf(backupId, { preRestoreBackup: 'NONE', onDrift: 'RESTORE_SCHEMA' }),
        );
        expect(restored).toMatchObject({
          error: null,
          result: { targetState: 'WHOLLY_NEW', rowsRestored: 7 },
        });
        expect((await application.content()).structure).toEqual(
          expect.arrayContaining([...bundled.structure]),
        );
      });
    });
  });
}
