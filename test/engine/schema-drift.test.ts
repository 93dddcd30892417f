import { expect, test } from 'vitest';
import type { ManifestTable } from '../../src/bundle/manifest.ts';
import { compareScripts } from '../../src/engine/schema-differences.ts';
import { tableDrift } from '../../src/engine/schema-drift.ts';
import type { Column, Table } from '../../src/source/source.ts';

function column(name: string, type: string, change: Partial<Column> = {}): Column {
  return { name, type, nullable: true, hasDefault: false, generated: false, ...change };
}

function bundled(...columns: readonly Column[]): ManifestTable {
  return {
    schema: null,
    name: 'item',
    columns: columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
    primaryKey: [],
    foreignKeys: [],
    rowCount: 1,
    bytes: 1,
    parts: ['db/item.json'],
  };
}

function live(...columns: readonly Column[]): Table {
  return { schema: null, name: 'item', columns, primaryKey: [], foreignKeys: [], rowEstimate: 0 };
}

const ID = column('id', 'integer');

test('the same structure has no drift and nothing to adapt to', () => {
  expect(tableDrift(live(ID), bundled(ID))).toEqual({
    drift: [],
    adaptation: { skipped: [], retyped: false, numbers: [], reshaped: false, losses: [], refusals: [] },
  });
});

test('a column that is gone is left out, and a likely new name of it is told', () => {
  const { drift, adaptation } = tableDrift(
    live(ID, column('title', 'text')),
    bundled(ID, column('name', 'text')),
  );
  expect(drift).toEqual([
    'column name (text) does not exist any more; perhaps it is title now',
    'column title (text) was added since the bundle was made',
  ]);
  expect(adaptation).toMatchObject({ skipped: ['name'], refusals: [] });
  expect(adaptation?.losses).toEqual([expect.stringContaining('its values are left out')]);
});

test('an added column that must have a value and has no default cannot be adapted to', () => {
  const required = column('owner', 'integer', { nullable: false });
  expect(tableDrift(live(ID, required), bundled(ID)).adaptation?.refusals).toEqual([
    'column owner is NOT NULL without a default, and the bundle has no values for it',
  ]);
  const defaulted = column('owner', 'integer', { nullable: false, hasDefault: true });
  expect(tableDrift(live(ID, defaulted), bundled(ID)).adaptation?.refusals).toEqual([]);
});

test('a stored column that is generated now is left out, a new type is compared by text', () => {
  const now = live(column('id', 'bigint'), column('total', 'integer', { generated: true }));
  expect(tableDrift(now, bundled(ID, column('total', 'integer'))).adaptation).toMatchObject({
    skipped: ['total'],
    retyped: true,
  });
});

test('a table without any of the columns left cannot be adapted to, one that is gone not at all', () => {
  expect(tableDrift(live(column('key', 'uuid')), bundled(ID)).adaptation?.refusals).toContain(
    'none of the columns in the bundle exists any more',
  );
  expect(tableDrift(undefined, bundled(ID)).adaptation).toBeUndefined();
});

test('objects that were added, removed and changed are named, several statements of one taken together', () => {
  const then = {
    before: [{ object: 'TABLE a', sql: 'CREATE TABLE a ()' }],
    after: [
      { object: 'INDEX a_x', sql: 'CREATE INDEX a_x ON a (x)' },
      { object: 'VIEW v', sql: 'CREATE VIEW v AS SELECT 1' },
      { object: 'VIEW v', sql: "COMMENT ON VIEW v IS 'one'" },
    ],
  };
  const now = {
    before: [
      { object: 'TABLE a', sql: 'CREATE TABLE a ()' },
      { object: 'TABLE b', sql: 'CREATE TABLE b ()' },
    ],
    after: [{ object: 'VIEW v', sql: 'CREATE VIEW v AS SELECT 1' }],
  };
  expect(compareScripts(then, now).differences).toEqual([
    { object: 'INDEX a_x', change: 'REMOVED' },
    { object: 'TABLE b', change: 'ADDED' },
    { object: 'VIEW v', change: 'CHANGED' },
  ]);
  expect(compareScripts(then, then).differences).toEqual([]);
});

test('what a changed object became is told apart, what is as it was is not', () => {
  const script = (...sql: string[]) => ({
    before: sql.map((text, n) => ({ object: `VIEW v${n}`, sql: text })),
    after: [],
  });
  const then = script('one', 'same');
  const { fingerprint } = compareScripts(then, script('two', 'same'));
  expect(compareScripts(then, script('two', 'same')).fingerprint).toBe(fingerprint);
  expect(compareScripts(then, script('three', 'same')).fingerprint).not.toBe(fingerprint);
  expect(compareScripts(script('one', 'other'), script('two', 'other')).fingerprint).toBe(fingerprint);
});

test('another primary key is drift, with and without one before', () => {
  const keyed = (...primaryKey: string[]) => ({ ...live(ID, column('b', 'text')), primaryKey });
  const then = { ...bundled(ID, column('b', 'text')), primaryKey: ['id'] };
  expect(tableDrift(keyed('id'), then).drift).toEqual([]);
  expect(tableDrift(keyed('b', 'id'), then)).toMatchObject({
    drift: ['the primary key is (b, id) now, (id) in the bundle'],
    adaptation: { reshaped: true, losses: [], refusals: [] },
  });
  expect(tableDrift(keyed(), then).drift).toEqual(['the primary key is none now, (id) in the bundle']);
});
