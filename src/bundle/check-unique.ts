/** What a manifest may name once only: told twice, it would be restored twice. */
import type { Manifest } from './manifest.ts';
import { malformedBundle } from './refusal.ts';

function once(what: string, names: readonly (readonly (string | null)[])[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    const key = JSON.stringify(name);
    if (seen.has(key)) {
      throw malformedBundle(`its manifest names the ${what} ${name.slice(-1).join().slice(0, 100)} twice`);
    }
    seen.add(key);
  }
}

/** @throws INVALID_MANIFEST for tables, columns of one table, sequences or trees of the same name */
export function checkUnique({ database, trees }: Manifest): void {
  once(
    'tree',
    trees.map(({ area, name }) => [area, name]),
  );
  if (database === null) return;
  once(
    'table',
    database.tables.map(({ schema, name }) => [schema, name]),
  );
  once(
    'sequence',
    database.sequences.map(({ schema, name }) => [schema, name]),
  );
  for (const { columns } of database.tables) {
    once(
      'column',
      columns.map(({ name }) => [name]),
    );
  }
}
