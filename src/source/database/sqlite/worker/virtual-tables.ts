import type { Connection } from './open-database.ts';
import { foldName } from './sql-names.ts';

/** A virtual table of which some parts are restored and others not. */
export interface IncompleteVirtualTable {
  readonly name: string;
  readonly restored: string;
  readonly missing: string;
}

/** The first virtual table whose content would be torn apart; its parts mean something only together. */
export function incompleteVirtualTable(
  db: Connection,
  restored: readonly string[],
): IncompleteVirtualTable | undefined {
  const list = db
    .prepare<[], { name: string; type: string }>(
      "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('virtual', 'shadow') ORDER BY length(name) DESC",
    )
    .all();
  const chosen = new Set(restored.map(foldName));
  const owners = list.filter(({ type }) => type === 'virtual').map(({ name }) => name);
  const parts = list.filter(({ type }) => type === 'shadow').map(({ name }) => name);
  const byOwner = Map.groupBy(parts, (part) =>
    // The longest: "a_b_data" is a part of "a_b" rather than of "a".
    owners.find((owner) => foldName(part).startsWith(`${foldName(owner)}_`)),
  );
  for (const [name, shadows] of byOwner) {
    const inside = shadows.find((part) => chosen.has(foldName(part)));
    const missing = shadows.find((part) => !chosen.has(foldName(part)));
    if (name !== undefined && inside !== undefined && missing !== undefined) {
      return { name, restored: inside, missing };
    }
  }
  return undefined;
}
