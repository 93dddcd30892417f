/** The order in which tables are written and restored. Pure. */
import { createHash } from 'node:crypto';
import type { ForeignKey, Table, TableName } from '../source/source.ts';
import { findComponents } from './graph-components.ts';

/** A string that is equal for equal names and different for different ones. */
export function tableKey(name: TableName): string {
  return JSON.stringify([name.schema, name.name]);
}

/** The name as people write it: `schema.name`, without the schema where there is none. */
export function tableLabel(name: TableName): string {
  return name.schema === null ? name.name : `${name.schema}.${name.name}`;
}

/** Tables in order, and the keys that no order can satisfy. */
export interface TableOrder<T> {
  /** Parents first; tables that do not depend on each other stand in order of name. */
  readonly tables: readonly T[];
  /** Foreign keys that lie on a cycle, self-references included. */
  readonly cyclic: readonly { readonly table: TableName; readonly foreignKey: ForeignKey }[];
}

/**
 * Orders tables so that each comes after the tables it references. Inside a cycle the order is that of the
 * names. References to tables that are not given are ignored.
 */
export function orderTables<T extends TableName & Pick<Table, 'foreignKeys'>>(
  tables: readonly T[],
): TableOrder<T> {
  const sorted = [...tables].sort((a, b) => compareText(tableKey(a), tableKey(b)));
  const indexOf = new Map(sorted.map((table, index) => [tableKey(table), index]));
  const parents = sorted.map((table) =>
    table.foreignKeys.flatMap((key) => indexOf.get(tableKey(key.references)) ?? []),
  );
  const component = findComponents(parents);
  const cyclic = sorted.flatMap((table, index) =>
    table.foreignKeys
      .filter((key) => {
        const parent = indexOf.get(tableKey(key.references));
        return parent !== undefined && component.of[parent] === component.of[index];
      })
      .map((foreignKey) => ({ table: { schema: table.schema, name: table.name }, foreignKey })),
  );
  return { tables: component.order.flatMap((index) => sorted[index] ?? []), cyclic };
}

/** SHA-256 over the structure of tables, independent of their order. */
export function schemaFingerprint(tables: readonly Table[]): string {
  const shape = [...tables]
    .sort((a, b) => compareText(tableKey(a), tableKey(b)))
    .map((table) => [
      table.schema,
      table.name,
      table.columns.map((column) => [column.name, column.type, column.nullable, column.generated]),
      table.primaryKey,
      table.foreignKeys.map((key) => [key.columns, tableKey(key.references), key.referencedColumns]),
    ]);
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
