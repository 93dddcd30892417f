/** Tables of every kind: ordinary, partitioned, partitions, inherited, typed, foreign. */

import {
  addedNotNulls,
  columnLine,
  columnStatements,
  namesTyped,
  stands,
  type TableParts,
} from './columns.ts';
import { enterConstraints, inlineChecks, looseChecks } from './constraints.ts';
import { readable } from './label-name.ts';
import { type Address, enter, type Inventory, making, RANKS, type SchemaObject } from './schema-object.ts';
import {
  type ColumnRow,
  type ConstraintRow,
  SCHEMA_COLUMNS,
  SCHEMA_CONSTRAINTS,
  SCHEMA_TABLES,
  type TableRow,
} from './table-queries.ts';

/** Reads tables with their columns and constraints. */
export async function readSchemaTables(inventory: Inventory): Promise<void> {
  const { session, signal, ofExtension } = inventory;
  const all = await session.query<TableRow>(SCHEMA_TABLES, [], signal);
  const tables = all.filter((table) => !ofExtension.has(table.address));
  const ids = tables.map((table) => table.oid);
  const columns = Map.groupBy(
    await session.query<ColumnRow>(SCHEMA_COLUMNS, [ids], signal),
    (row) => row.oid,
  );
  const constraints = Map.groupBy(
    await session.query<ConstraintRow>(SCHEMA_CONSTRAINTS, [ids], signal),
    (row) => row.oid,
  );
  for (const table of tables) {
    enterTable(inventory, {
      table,
      columns: columns.get(table.oid) ?? [],
      constraints: constraints.get(table.oid) ?? [],
    });
  }
}

function enterTable(inventory: Inventory, parts: TableParts): void {
  const { table } = parts;
  const label = readable(table.schema, table.plainName);
  const word = table.kind === 'f' ? 'FOREIGN TABLE' : 'TABLE';
  const object: SchemaObject = tableObject(parts, false);
  enter(inventory, object, `${word} ${table.name}`);
  for (const column of parts.columns) {
    const address: Address = `${table.address}/${column.number}`;
    inventory.targets.set(address, {
      text: `COLUMN ${table.name}.${column.name}`,
      of: table.address,
      address,
    });
    if (column.sequenceAddress !== null) {
      inventory.aliases.set(column.sequenceAddress, table.address);
      inventory.targets.set(column.sequenceAddress, {
        text: `SEQUENCE ${column.sequenceName}`,
        of: table.address,
        address: column.sequenceAddress,
      });
    }
  }
  enterConstraints(inventory, parts);
  if (table.tablespace !== null) {
    inventory.notCarried.push({
      name: `tablespace ${table.tablespace} of ${label}`,
      reason: 'tablespaces belong to the server; the table is made in the default one',
    });
  }
  if (table.isPartition) enterPartition(inventory, table, label);
  enterMarks(inventory, table, label);
}

function enterPartition(inventory: Inventory, table: TableRow, label: string): void {
  const parent = table.parents?.[0];
  if (parent === undefined) return;
  enter(inventory, {
    address: `partition/${table.address}`,
    label: `PARTITION ${label}`,
    rank: RANKS.PARTITION,
    phase: 'BEFORE',
    statements: [
      { sql: `ALTER TABLE ONLY ${parent.name} ATTACH PARTITION ${table.name} ${table.bound ?? 'DEFAULT'}` },
    ],
    drop: `ALTER TABLE ${parent.name} DETACH PARTITION ${table.name}`,
    partOf: table.address,
    needs: [parent.address],
  });
}

function enterMarks(inventory: Inventory, table: TableRow, label: string): void {
  const mark = (kind: string, rank: number, verb: string, undo: string): void => {
    enter(inventory, {
      address: `${kind}/${table.address}`,
      label: `${kind} ${label}`,
      rank,
      phase: 'AFTER',
      statements: [{ sql: `ALTER TABLE ONLY ${table.name} ${verb}` }],
      drop: `ALTER TABLE ONLY ${table.name} ${undo}`,
      partOf: table.address,
    });
  };
  if (table.rowSecurity) {
    mark('ROW SECURITY', RANKS.ROW_SECURITY, 'ENABLE ROW LEVEL SECURITY', 'DISABLE ROW LEVEL SECURITY');
  }
  if (table.forced) {
    mark(
      'FORCED ROW SECURITY',
      RANKS.ROW_SECURITY,
      'FORCE ROW LEVEL SECURITY',
      'NO FORCE ROW LEVEL SECURITY',
    );
  }
  if (table.kind !== 'f' && (table.replicaIdentity === 'n' || table.replicaIdentity === 'f')) {
    const identity = table.replicaIdentity === 'n' ? 'NOTHING' : 'FULL';
    mark('REPLICA IDENTITY', RANKS.TABLE_MARK, `REPLICA IDENTITY ${identity}`, 'REPLICA IDENTITY DEFAULT');
  }
}

/** `loose`: defaults and checks are statements of their own, since something they call needs the table. */
function tableObject(parts: TableParts, loose: boolean): SchemaObject {
  const { table } = parts;
  const word = table.kind === 'f' ? 'FOREIGN TABLE' : 'TABLE';
  const label = readable(table.schema, table.plainName);
  return {
    address: table.address,
    label: `${word} ${label}`,
    rank: RANKS.TABLE,
    phase: 'BEFORE',
    statements: [createStatement(parts, loose), ...columnStatements(parts)].map(making),
    drop: `DROP ${word} IF EXISTS ${table.name}`,
    needs: [
      ...(table.isPartition ? [] : (table.parents ?? []).map((parent) => parent.address)),
      ...(table.serverAddress === null ? [] : [table.serverAddress]),
    ],
    ...(table.kind === 'f'
      ? {}
      : { table: { schema: table.schema, name: table.plainName, partitioned: table.kind === 'p' } }),
    ...(loose
      ? {}
      : {
          loosened: () => [tableObject(parts, true), ...looseDefaults(parts), ...looseChecks(parts)],
        }),
  };
}

function looseDefaults(parts: TableParts): SchemaObject[] {
  const { table } = parts;
  return parts.columns.flatMap((column): SchemaObject[] => {
    if (column.defaultValue === null || column.generated !== '' || !stands(parts, column)) return [];
    const at = `ALTER TABLE ONLY ${table.name} ALTER COLUMN ${column.name}`;
    return [
      {
        address: column.defaultAddress ?? '',
        label: `COLUMN DEFAULT ${readable(table.schema, table.plainName, column.plainName)}`,
        rank: RANKS.COLUMN,
        phase: 'BEFORE',
        statements: [making(`${at} SET DEFAULT ${column.defaultValue}`)],
        drop: `${at} DROP DEFAULT`,
        partOf: table.address,
      },
    ];
  });
}

function createStatement(parts: TableParts, loose: boolean): string {
  const { table, columns } = parts;
  const standing = columns.filter(
    (column) => stands(parts, column) && (table.typed === null || namesTyped(parts, column)),
  );
  const lines = [
    ...standing.map((column) => columnLine(parts, column, loose)),
    ...addedNotNulls(parts),
    ...(loose ? [] : inlineChecks(parts)),
  ];
  const body = lines.length > 0 ? ` (\n    ${lines.join(',\n    ')}\n)` : table.typed === null ? ' (\n)' : '';
  const inherits = table.isPartition ? [] : (table.parents ?? []).map((parent) => parent.name);
  return [
    `CREATE ${table.unlogged ? 'UNLOGGED ' : ''}${table.kind === 'f' ? 'FOREIGN ' : ''}TABLE ${table.name}`,
    table.typed === null ? '' : ` OF ${table.typed}`,
    body,
    inherits.length === 0 ? '' : `\nINHERITS (${inherits.join(', ')})`,
    table.partitionKey === null ? '' : `\nPARTITION BY ${table.partitionKey}`,
    table.accessMethod === null ? '' : `\nUSING ${table.accessMethod}`,
    table.server === null ? '' : `\nSERVER ${table.server}`,
    table.foreignOptions === null ? '' : `\nOPTIONS (${table.foreignOptions.join(', ')})`,
    table.options === null ? '' : `\nWITH (${table.options})`,
  ].join('');
}
