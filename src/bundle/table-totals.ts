/** What the parts of each table come to, added up as they are checked. */
import type { CheckedTable } from './bundle.ts';
import type { TablePart } from './check-entries.ts';
import { addDigests } from './content-digest.ts';
import type { Manifest } from './manifest.ts';
import { malformedBundle } from './refusal.ts';

const NO_DIGEST = '0'.repeat(32);

interface Total {
  readonly rows: number;
  readonly digest: string;
}

/** Grows with the number of tables, never with their rows. */
export class TableTotals {
  readonly #totals = new Map<string, Total>();

  /** Takes a part that passed. @param digest 32 hex digits, as made of the rows that were read */
  add({ schema, table }: TablePart, rows: number, digest: string): void {
    const key = JSON.stringify([schema, table]);
    const before = this.#totals.get(key) ?? { rows: 0, digest: NO_DIGEST };
    this.#totals.set(key, { rows: before.rows + rows, digest: addDigests(before.digest, digest) });
  }

  /**
   * The tables of the manifest, once every part of them passed.
   * @throws INVALID_MANIFEST for one whose manifest counts other rows than its parts hold
   */
  ofManifest({ database }: Manifest): CheckedTable[] {
    return (database?.tables ?? []).map(({ schema, name, rowCount }) => {
      const { rows, digest } = this.#totals.get(JSON.stringify([schema, name])) ?? {
        rows: 0,
        digest: NO_DIGEST,
      };
      if (rows !== rowCount)
        throw malformedBundle(`its manifest counts ${rowCount} rows of ${name}, and its parts hold ${rows}`);
      return { schema, name, rows, digest };
    });
  }
}
