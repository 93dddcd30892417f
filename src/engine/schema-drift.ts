/** How the live structure differs from the one a bundle was made of, and what of a bundle fits all the same. Pure. */
import type { ManifestTable } from '../bundle/manifest.ts';
import type { Column, Table } from '../source/source.ts';

/** How rows of a bundle go into a table whose structure changed since. */
export interface Adaptation {
  /** Columns of the bundle whose values are left out. */
  readonly skipped: readonly string[];
  /** Whether a type changed: values are then compared by their text, and a restore that alters one is refused. */
  readonly retyped: boolean;
  /** Columns that hold exact numbers before and after: 1 and 1.00 are the same to them. */
  readonly numbers: readonly string[];
  /**
   * Whether the table is another than it was, by its columns or its primary key. What rows say beside their columns
   * (SQLite's rowids) may then be of no use to it.
   */
  readonly reshaped: boolean;
  /** What does not come back, in words. */
  readonly losses: readonly string[];
  /** Why no row can go in, in words; empty when rows can. */
  readonly refusals: readonly string[];
}

/** The differences of one table. */
export interface TableDrift {
  /** In words; empty when rows of the bundle fit as they are. */
  readonly drift: readonly string[];
  /** Undefined when there is no such table to adapt to. */
  readonly adaptation: Adaptation | undefined;
}

const ABSENT: TableDrift = {
  drift: ['the table does not exist in the target'],
  adaptation: undefined,
};

/** Compares a live table with the one in a bundle. */
export function tableDrift(live: Table | undefined, bundled: ManifestTable): TableDrift {
  if (live === undefined) return ABSENT;
  const drift: string[] = [];
  const skipped: string[] = [];
  const losses: string[] = [];
  const refusals: string[] = [];
  let retyped = false;
  const liveColumns = new Map(live.columns.map((column) => [column.name, column]));
  for (const column of bundled.columns) {
    const now = liveColumns.get(column.name);
    if (now === undefined || now.generated) {
      const what = now === undefined ? goneSince(column, live, bundled) : generatedSince(column.name);
      drift.push(what);
      skipped.push(column.name);
      losses.push(`${what}: its values are left out`);
    } else if (now.type !== column.type) {
      drift.push(`column ${column.name} is ${now.type} now, ${column.type} in the bundle`);
      retyped = true;
    } else if (!now.nullable && column.nullable) {
      drift.push(`column ${column.name} is NOT NULL now, it was nullable when the bundle was made`);
    }
  }
  const known = new Set(bundled.columns.map((column) => column.name));
  for (const added of live.columns.filter((column) => !column.generated && !known.has(column.name))) {
    drift.push(`column ${added.name} (${added.type}) was added since the bundle was made`);
    if (!added.nullable && !added.hasDefault) {
      refusals.push(
        `column ${added.name} is NOT NULL without a default, and the bundle has no values for it`,
      );
    }
  }
  if (bundled.columns.length > 0 && skipped.length === bundled.columns.length) {
    refusals.push('none of the columns in the bundle exists any more');
  }
  drift.push(...keyDrift(live, bundled));
  const numbers = numbersOf(liveColumns, bundled);
  const reshaped = drift.length > 0;
  return { drift, adaptation: { skipped, retyped, numbers, reshaped, losses, refusals } };
}

/** Columns whose type changed from one kind of exact number to another. */
function numbersOf(live: ReadonlyMap<string, Column>, bundled: ManifestTable): string[] {
  return bundled.columns
    .filter(({ name, type }) => {
      const now = live.get(name)?.type ?? '';
      return now !== type && isExactNumber(now) && isExactNumber(type);
    })
    .map(({ name }) => name);
}

/** Integers and decimals, as the three kinds of database print them; what floats round is no business of theirs. */
function isExactNumber(type: string): boolean {
  return /^(tiny|small|medium|big)?int(eger)?\b|^(numeric|decimal)\b/i.test(type);
}

function keyDrift(live: Table, bundled: ManifestTable): string[] {
  if (live.primaryKey.join('\0') === bundled.primaryKey.join('\0')) return [];
  return [`the primary key is ${keyOf(live)} now, ${keyOf(bundled)} in the bundle`];
}

function keyOf({ primaryKey }: Pick<Table, 'primaryKey'>): string {
  return primaryKey.length === 0 ? 'none' : `(${primaryKey.join(', ')})`;
}

/** A column of the same type that is there instead, at the same place, may be the same by another name. */
function goneSince(column: ManifestTable['columns'][number], live: Table, bundled: ManifestTable): string {
  const gone = `column ${column.name} (${column.type}) does not exist any more`;
  const stored = live.columns.filter((candidate) => !candidate.generated);
  const instead: Column | undefined = stored[bundled.columns.indexOf(column)];
  const isNew =
    instead !== undefined && !bundled.columns.some((candidate) => candidate.name === instead.name);
  return isNew && instead.type === column.type ? `${gone}; perhaps it is ${instead.name} now` : gone;
}

function generatedSince(name: string): string {
  return `column ${name} is generated now, it was stored when the bundle was made`;
}
