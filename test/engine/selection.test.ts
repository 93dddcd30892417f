import { describe, expect, test } from 'vitest';
import type { ManifestTable } from '../../src/bundle/manifest.ts';
import { tableDrift } from '../../src/engine/schema-drift.ts';
import { reachingOutside, selectTables } from '../../src/engine/selection.ts';
import type { Column, Table } from '../../src/source/source.ts';

const id: Column = { name: 'id', type: 'integer', nullable: false, hasDefault: false, generated: false };
const note: Column = { ...id, name: 'note', type: 'text', nullable: true };

function table(
  name: string,
  references: readonly string[] = [],
  columns: readonly Column[] = [id, note],
): Table {
  return {
    schema: 'public',
    name,
    columns,
    primaryKey: ['id'],
    foreignKeys: references.map((parent) => ({
      name: `${name}_${parent}`,
      columns: [`${parent}_id`],
      references: { schema: 'public', name: parent },
      referencedColumns: ['id'],
      deferrable: false,
    })),
    rowEstimate: 0,
  };
}

function named(name: string): { schema: string; name: string } {
  return { schema: 'public', name };
}

const LIVE = [table('author'), table('book', ['author']), table('log')];

describe('the tables of a backup', () => {
  test('are all there are, also those nobody has listed', () => {
    expect(selectTables(LIVE, [], null).tables).toEqual(LIVE);
  });

  test('leave out what the source excludes and what was not chosen, each with its reason', () => {
    const { tables, leftOut } = selectTables(LIVE, [named('log')], [named('book')]);
    expect(tables.map(({ name }) => name)).toEqual(['book']);
    expect(leftOut).toEqual([
      { name: 'public.author', reason: 'not in the selection' },
      { name: 'public.log', reason: 'excluded by the source' },
    ]);
  });

  test.each([
    ['does not exist', 'nothing', []],
    ['is excluded', 'log', [named('log')]],
    ['is in another schema', 'author', []],
  ])('refuse one that %s', (_why, name, excluded) => {
    const chosen = { schema: name === 'author' ? 'other' : 'public', name };
    expect(() => selectTables(LIVE, excluded, [chosen])).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field: 'selection.tables' }),
    );
  });

  test('warn where a foreign key leads outside of them', () => {
    expect(reachingOutside([table('book', ['author'])])).toEqual([
      'public.book (author_id) references public.author, which is not part of this.',
    ]);
    expect(reachingOutside(LIVE)).toEqual([]);
  });
});

describe('drift', () => {
  function bundled(columns: readonly Column[]): ManifestTable {
    return {
      schema: 'public',
      name: 'book',
      columns: columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
      primaryKey: ['id'],
      foreignKeys: [],
      rowCount: 0,
      bytes: 0,
      parts: [],
    };
  }

  test('is none where the rows fit as they are', () => {
    expect(tableDrift(table('book'), bundled([id, note])).drift).toEqual([]);
    const computed = { ...note, name: 'computed', generated: true };
    expect(tableDrift(table('book', [], [id, note, computed]), bundled([id, note])).drift).toEqual([]);
    expect(tableDrift(table('book', [], [note, id]), bundled([id, note])).drift).toEqual([]);
  });

  test.each([
    ['a table that is gone', undefined, [id], 'does not exist in the target'],
    ['a column that is gone', [id], [id, note], 'column note (text) does not exist any more'],
    ['a column that was added', [id, note], [id], 'column note (text) was added since'],
    ['another type', [{ ...id, type: 'bigint' }], [id], 'column id is bigint now, integer in the bundle'],
    ['a new NOT NULL', [{ ...note, nullable: false }], [note], 'column note is NOT NULL now'],
    ['a column computed now', [id, { ...note, generated: true }], [id, note], 'column note is generated now'],
  ])('names %s', (_what, live, held, words) => {
    const now = live === undefined ? undefined : table('book', [], live);
    expect(tableDrift(now, bundled(held)).drift).toEqual([expect.stringContaining(words)]);
  });
});
