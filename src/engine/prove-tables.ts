/** The proof of a restore: every row is read back inside the transaction and compared with the bundle by digest. */
import type { BundleReader } from '../bundle/bundle.ts';
import { addDigests, ContentDigest } from '../bundle/content-digest.ts';
import type { ManifestTable } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type { DatabaseRestore } from '../source/source.ts';
import { type LoadedDigests, ProjectedDigest, shortOf } from './load-tables.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RestoreResult } from './record-result.ts';
import type { RestoredTable } from './restored-table.ts';
import { tableKey, tableLabel } from './table-order.ts';

/** A table as it was read back. */
export type ProvenTable = RestoreResult['tables'][number];

/**
 * Proves that the database holds what was meant to go in: the bundle's rows, less the columns that were left out or
 * cleared.
 * @throws HoldfastError INVALID_CHECKSUM, SCHEMA_MISMATCH for a column whose new type alters values
 */
export async function proveTables(
  reader: BundleReader,
  written: Pick<DatabaseRestore, 'readRows'>,
  tables: readonly RestoredTable[],
  loaded: LoadedDigests,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<ProvenTable[]> {
  meter.expect({ rows: tables.reduce((sum, { bundled }) => sum + bundled.rowCount, 0) });
  const digests = await bundledDigests(reader, signal);
  const proven: ProvenTable[] = [];
  for (const { bundled, target, proving } of tables) {
    meter.item(tableLabel(bundled));
    const found = proving === undefined ? new PlainDigest() : new ProjectedDigest(proving.found);
    for await (const chunk of written.readRows(target, signal)) {
      const before = found.rows;
      found.update(chunk);
      meter.add({ bytes: chunk.length, rows: found.rows - before });
    }
    const digest = found.value();
    if (found.rows !== bundled.rowCount) throw shortOf(bundled, found.rows);
    const expected = (proving === undefined ? digests : loaded).get(tableKey(bundled));
    if (digest !== expected) throw differs(bundled, proving?.expected.asText === true);
    proven.push({ schema: bundled.schema, name: bundled.name, rows: found.rows, digest });
  }
  return proven;
}

class PlainDigest extends ContentDigest {
  /** 32 hex digits. */
  value(): string {
    return this.totals().digest;
  }
}

async function bundledDigests(
  reader: BundleReader,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>();
  for await (const entry of reader.entries(signal)) {
    if (entry.kind !== 'TABLE_PART') continue;
    const key = tableKey({ schema: entry.schema, name: entry.table });
    const before = digests.get(key);
    digests.set(key, before === undefined ? entry.digest : addDigests(before, entry.digest));
  }
  return digests;
}

function differs(table: ManifestTable, retyped: boolean): HoldfastError {
  if (retyped) {
    return new HoldfastError(
      'SCHEMA_MISMATCH',
      `${tableLabel(table)}: the new type of a column alters values of the bundle.`,
      { hint: 'Everything was rolled back. Restore with onDrift RESTORE_SCHEMA, or change the type back.' },
    );
  }
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `${tableLabel(table)}: what the database holds after loading is not what the bundle holds.`,
    { hint: 'Everything was rolled back. Compare the types and collations of the target with the manifest.' },
  );
}
