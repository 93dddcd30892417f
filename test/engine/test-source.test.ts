import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { SourceReport } from '../../src/engine/engine.ts';
import { TestEngine } from '../support/engine.ts';
import { type Application, postgresApplication, sqliteApplication } from '../support/engine-application.ts';

const KINDS: readonly [string, string | null, (directory: string) => Promise<Application>][] = [
  ['SQLITE', null, sqliteApplication],
  ['POSTGRESQL', 'public', (directory) => postgresApplication(directory, inject('postgresUrl'))],
];

let holdfast: TestEngine;

beforeEach(async () => {
  holdfast = await TestEngine.start();
});

afterEach(() => holdfast.remove());

async function report(application: Application): Promise<SourceReport> {
  const { engine, actor } = holdfast;
  const { id } = await engine.createSource(actor, application.definition);
  return await engine.testSource(actor, id, new AbortController().signal);
}

describe.each(KINDS)('a source with a %s database', (kind, schema, make) => {
  test('is reported with what would be backed up, what is left out and why, and nothing is changed', async () => {
    const application = await make(join(holdfast.root, 'app'));
    try {
      await application.execute(
        'CREATE TABLE a_child (id INTEGER PRIMARY KEY, book_id INTEGER REFERENCES book)',
        'CREATE TABLE session (id INTEGER PRIMARY KEY, book_id INTEGER REFERENCES book)',
        'CREATE VIEW titles AS SELECT title FROM book',
      );
      if (kind === 'POSTGRESQL') await application.execute('ANALYZE');
      const uploads = join(application.directory, 'uploads');
      await writeFile(join(uploads, 'debug.log'), 'left out by a glob');
      await symlink('/etc', join(uploads, 'outside'));
      const before = await application.content();
      const excludedTables = [
        { schema, name: 'session' },
        { schema, name: 'gone' },
      ];
      const { database, trees, leftOut, warnings } = await report({
        ...application,
        definition: { ...application.definition, excludedTables },
      });
      expect(database).toMatchObject({ kind, cyclicForeignKeys: [] });
      // By their foreign keys, parents first, not by their names.
      expect(database?.tables.map(({ name, rowEstimate }) => [name, rowEstimate])).toEqual([
        ['author', 3],
        ['book', 4],
        ['a_child', 0],
      ]);
      expect(trees).toEqual([
        { area: 'files', name: 'uploads', files: 2, bytes: 9, skipped: [] },
        { area: 'config', name: 'config', files: 1, bytes: 10, skipped: [] },
      ]);
      expect(leftOut).toEqual(
        expect.arrayContaining([
          { name: expect.stringContaining('session'), reason: 'excluded by the source' },
          { name: expect.stringContaining('titles'), reason: expect.stringContaining('view') },
          { name: 'env file', reason: expect.stringContaining('only when asked for') },
        ]),
      );
      expect(warnings).toEqual([expect.stringMatching(/excluded table .*gone does not exist/)]);
      expect(await application.content()).toEqual(before);
    } finally {
      await application.dispose();
    }
  });
});

test('a source whose database cannot be reached says so', async () => {
  const application = await sqliteApplication(join(holdfast.root, 'app'));
  const database = { kind: 'POSTGRESQL', url: 'postgresql://u:hunter2@127.0.0.1:1/x' } as const;
  const failed = report({ ...application, definition: { ...application.definition, database } });
  await expect(failed).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.not.stringContaining('hunter2'),
  });
});
