/** How the live structure differs from the one a bundle was made of. Pure. */
import type { ManifestTable } from '../bundle/manifest.ts';
import type { Table } from '../source/source.ts';

/** The differences of one table in words; empty when rows of the bundle fit as they are. */
export function tableDrift(live: Table | undefined, bundled: ManifestTable): string[] {
  if (live === undefined) return ['the table does not exist in the target'];
  const drift: string[] = [];
  const liveColumns = new Map(live.columns.filter((column) => !column.generated).map((c) => [c.name, c]));
  for (const column of bundled.columns) {
    const now = liveColumns.get(column.name);
    if (now === undefined) {
      const generated = live.columns.some((candidate) => candidate.name === column.name);
      drift.push(
        generated
          ? `column ${column.name} is generated now, it was stored when the bundle was made`
          : `column ${column.name} (${column.type}) does not exist any more`,
      );
    } else if (now.type !== column.type) {
      drift.push(`column ${column.name} is ${now.type} now, ${column.type} in the bundle`);
    } else if (!now.nullable && column.nullable) {
      drift.push(`column ${column.name} is NOT NULL now, it was nullable when the bundle was made`);
    }
    liveColumns.delete(column.name);
  }
  for (const added of liveColumns.values()) {
    drift.push(`column ${added.name} (${added.type}) was added since the bundle was made`);
  }
  return drift;
}
