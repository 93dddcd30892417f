/** The statements around the swap that puts the new tables in the places of the old ones. */
import type { DatabaseRestoreRequest } from '../../source.ts';
import type { KeyCheck } from './foreign-key-check.ts';
import type { Step } from './journal.ts';
import { quoteName, type RestoreNames } from './names.ts';
import { dropOf, type RestoreTables } from './restore-tables.ts';

/** What `beginRestore` found out. */
export interface RestoreGround {
  readonly request: DatabaseRestoreRequest;
  readonly names: RestoreNames;
  readonly tables: RestoreTables;
  /** Sequence objects that are there. */
  readonly sequences: readonly string[];
}

/** The foreign keys that rows have to satisfy, or of them those that cross to a table that stays. */
export function keyChecks({ names, tables }: RestoreGround, neighboursOnly: boolean): KeyCheck[] {
  const fresh = new Map(tables.planned.map(({ name, n }) => [name, quoteName(names.fresh(n))]));
  const within = tables.planned.flatMap(({ name, foreignKeys }) =>
    foreignKeys.map((key): KeyCheck => {
      const parent = key.schema === null ? fresh.get(key.table) : undefined;
      const outside = `${key.schema === null ? '' : `${quoteName(key.schema)}.`}${quoteName(key.table)}`;
      return { key, label: name, child: fresh.get(name) ?? '', parent: parent ?? outside };
    }),
  );
  const from = tables.neighbours.flatMap(({ name, foreignKeys }) =>
    foreignKeys.map(
      (key): KeyCheck => ({ key, label: name, child: quoteName(name), parent: fresh.get(key.table) ?? '' }),
    ),
  );
  const inner = new Set(fresh.values());
  return [...within.filter(({ parent }) => !neighboursOnly || !inner.has(parent)), ...from];
}

/** What makes keys, routines, views, triggers and events again once the tables are in their places. */
export function stepsAfterSwap({ request, tables }: RestoreGround): Step[] {
  const after = (sql: string, object?: string): Step => ({
    kind: 'AFTER',
    sql,
    ...(object === undefined ? {} : { object }),
  });
  const replacing = request.schema?.mode !== 'CREATE';
  return [
    // A foreign key follows a table that is renamed: those of tables that stay now point to the old ones.
    ...tables.neighbours.flatMap(({ name, foreignKeys }) =>
      foreignKeys.map((key) =>
        after(`ALTER TABLE ${quoteName(name)} DROP FOREIGN KEY ${quoteName(key.name)}`),
      ),
    ),
    // Adding a key back would give an index that the server made for it another name. Asked for by its old name it
    // is an ordinary one, and stays; where it is that already, the server says so, which is no error of a step.
    ...tables.neighbours.flatMap(({ name, indexes }) =>
      indexes.map((index) => after(`ALTER TABLE ${quoteName(name)} ${index}`)),
    ),
    ...[...tables.planned, ...tables.neighbours].flatMap(({ name, foreignKeys }) =>
      foreignKeys.map((key) =>
        after(`ALTER TABLE ${quoteName(name)} ADD ${key.sql}`, `FOREIGN KEY ${key.name} of table ${name}`),
      ),
    ),
    ...tables.epilogue.flatMap(({ object, sql }) => {
      const drop = replacing ? dropOf(object) : undefined;
      return [...(drop === undefined ? [] : [after(drop)]), after(sql, object)];
    }),
  ];
}

/** Puts all new tables in the places of the old ones, and says so by the name of the journal. */
export function swapStatement({ names, tables }: RestoreGround): string {
  const moves = tables.planned.flatMap(({ name, n, exists }) => [
    ...(exists ? [`${quoteName(name)} TO ${quoteName(names.old(n))}`] : []),
    `${quoteName(names.fresh(n))} TO ${quoteName(name)}`,
  ]);
  return `RENAME TABLE ${[...moves, `${quoteName(names.journal)} TO ${quoteName(names.swapped)}`].join(', ')}`;
}
