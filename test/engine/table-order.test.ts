import { describe, expect, test } from 'vitest';
import { orderTables, schemaFingerprint } from '../../src/engine/table-order.ts';
import type { ForeignKey, Table } from '../../src/source/source.ts';

function table(name: string, references: readonly string[] = []): Table {
  const foreignKeys = references.map(
    (parent): ForeignKey => ({
      name: `${name}_${parent}`,
      columns: [`${parent}_id`],
      references: { schema: null, name: parent },
      referencedColumns: ['id'],
      deferrable: false,
    }),
  );
  return { schema: null, name, columns: [], primaryKey: ['id'], foreignKeys, rowEstimate: 0 };
}

function namesOf(tables: readonly Table[]): string[] {
  return orderTables(tables).tables.map(({ name }) => name);
}

function cyclesOf(tables: readonly Table[]): string[] {
  return orderTables(tables).cyclic.map(({ foreignKey }) => foreignKey.name);
}

describe('the order of tables', () => {
  test('puts parents before children along a chain, whatever order they are given in', () => {
    const chain = [table('a', ['b']), table('b', ['c']), table('c', ['d']), table('d')];
    expect(namesOf(chain)).toEqual(['d', 'c', 'b', 'a']);
    expect(namesOf([...chain].reverse())).toEqual(['d', 'c', 'b', 'a']);
    expect(cyclesOf(chain)).toEqual([]);
  });

  test('puts the corner of a diamond first and its end last', () => {
    expect(
      namesOf([
        table('end', ['left', 'right']),
        table('left', ['top']),
        table('right', ['top']),
        table('top'),
      ]),
    ).toEqual(['top', 'left', 'right', 'end']);
  });

  test('puts tables that know nothing of each other in order of name', () => {
    expect(namesOf([table('c'), table('a'), table('b')])).toEqual(['a', 'b', 'c']);
  });

  test('names the keys of a cycle and keeps what hangs on it in order', () => {
    const tables = [
      table('a', ['b']),
      table('b', ['a']),
      table('child', ['a']),
      table('parent'),
      table('c', ['parent']),
    ];
    const names = namesOf(tables);
    expect(cyclesOf(tables)).toEqual(['a_b', 'b_a']);
    expect(names.indexOf('child')).toBeGreaterThan(names.indexOf('a'));
    expect(names.indexOf('child')).toBeGreaterThan(names.indexOf('b'));
    expect(names.indexOf('c')).toBeGreaterThan(names.indexOf('parent'));
  });

  test('counts a reference to itself as a cycle of one', () => {
    expect(cyclesOf([table('employee', ['employee'])])).toEqual(['employee_employee']);
    expect(namesOf([table('employee', ['employee'])])).toEqual(['employee']);
  });

  test('ignores references to tables that are not there', () => {
    expect(namesOf([table('a', ['missing'])])).toEqual(['a']);
    expect(cyclesOf([table('a', ['missing'])])).toEqual([]);
  });

  test('orders a chain of 5,000 tables', () => {
    const tables = Array.from({ length: 5000 }, (_, n) => table(`t${n}`, n === 0 ? [] : [`t${n - 1}`]));
    expect(namesOf(tables)).toEqual(tables.map(({ name }) => name));
  });

  test('tells tables of one name in two schemas apart', () => {
    const inSchema = (schema: string): Table => ({ ...table('t'), schema });
    expect(orderTables([inSchema('b'), inSchema('a')]).tables.map(({ schema }) => schema)).toEqual([
      'a',
      'b',
    ]);
  });
});

describe('the fingerprint of a structure', () => {
  const column = { name: 'id', type: 'integer', nullable: false, hasDefault: false, generated: false };

  test('does not depend on the order of tables or on their rows', () => {
    expect(schemaFingerprint([table('a'), table('b')])).toBe(
      schemaFingerprint([{ ...table('b'), rowEstimate: 9 }, table('a')]),
    );
  });

  test('changes with a column, its type and a foreign key', () => {
    const prints = [
      table('a'),
      { ...table('a'), columns: [column] },
      { ...table('a'), columns: [{ ...column, type: 'bigint' }] },
      table('a', ['a']),
    ].map((one) => schemaFingerprint([one]));
    expect(new Set(prints).size).toBe(prints.length);
  });
});
