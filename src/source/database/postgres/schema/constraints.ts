/** Checks, keys, exclusion constraints and foreign keys of tables. */

import type { TableParts } from './columns.ts';
import { readable } from './label-name.ts';
import { enter, type Inventory, making, RANKS, type SchemaObject } from './schema-object.ts';
import type { ConstraintRow } from './table-queries.ts';

/** True of checks that stand in CREATE TABLE: cheap ones, which hold for every row. */
function isInline({ table }: TableParts, constraint: ConstraintRow): boolean {
  if (constraint.kind !== 'c' || !constraint.valid) return false;
  if (!constraint.local && !table.isPartition) return false;
  return !constraint.callsFunctions;
}

/** The lines of checks in CREATE TABLE. */
export function inlineChecks(parts: TableParts): string[] {
  return parts.constraints
    .filter((constraint) => isInline(parts, constraint))
    .map(({ name, definition }) => `CONSTRAINT ${name} ${definition}`);
}

/** The same checks as statements of their own. */
export function looseChecks(parts: TableParts): SchemaObject[] {
  return parts.constraints
    .filter((constraint) => isInline(parts, constraint))
    .map((constraint) => constraintObject(parts, constraint));
}

/**
 * Enters what comes after the rows: keys, foreign keys, checks that call functions (they may read other tables) and
 * whatever is NOT VALID (rows that were let pass must pass again).
 */
export function enterConstraints(inventory: Inventory, parts: TableParts): void {
  const { table } = parts;
  for (const constraint of parts.constraints) {
    const { address, name } = constraint;
    const target = `CONSTRAINT ${name} ON ${table.name}`;
    if (isInline(parts, constraint)) {
      inventory.targets.set(address, { text: target, of: table.address, address });
      inventory.aliases.set(address, table.address);
      continue;
    }
    if (constraint.kind === 'f' && constraint.parent !== null) {
      inventory.aliases.set(address, constraint.parent);
      continue;
    }
    const fromParent = (constraint.kind === 'c' || constraint.kind === 'n') && !constraint.local;
    if (fromParent || (constraint.kind === 'n' && constraint.valid)) {
      inventory.targets.set(address, { text: target, of: table.address, address });
      continue;
    }
    enter(inventory, constraintObject(parts, constraint), target);
    if (constraint.index !== null) inventory.aliases.set(constraint.index, address);
  }
}

const RANK_OF: Readonly<Record<string, number>> = {
  c: RANKS.CHECK,
  n: RANKS.CHECK,
  f: RANKS.FOREIGN_KEY,
};

function constraintObject(parts: TableParts, constraint: ConstraintRow): SchemaObject {
  const { table } = parts;
  const { kind, name } = constraint;
  // Keys of partitions are made one by one and tied together; checks and foreign keys reach them by themselves.
  const only = ['p', 'u', 'x'].includes(kind) || (kind === 'f' && table.kind !== 'p') ? 'ONLY ' : '';
  const word = table.kind === 'f' ? 'FOREIGN TABLE' : 'TABLE';
  return {
    address: constraint.address,
    label: `${kind === 'f' ? 'FOREIGN KEY' : 'CONSTRAINT'} ${readable(constraint.plainName)} ON ${readable(table.schema, table.plainName)}`,
    rank: RANK_OF[kind] ?? RANKS.KEY,
    phase: 'AFTER',
    statements: [
      making(`ALTER ${word} ${only}${table.name} ADD CONSTRAINT ${name} ${constraint.definition}`),
    ],
    drop: `ALTER ${word} IF EXISTS ${table.name} DROP CONSTRAINT IF EXISTS ${name}`,
    partOf: table.address,
  };
}
