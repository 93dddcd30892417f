/** Loads the tables of a bundle into an open transaction, and counts what the database took. */
import type { BundleReader } from '../bundle/bundle.ts';
import { ContentDigest } from '../bundle/content-digest.ts';
import type { ManifestTable } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type { DatabaseRestore } from '../source/source.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RestoredTable } from './restored-table.ts';
import { type RowProjection, RowProjector } from './row-projector.ts';
import { tableKey, tableLabel } from './table-order.ts';

/** Digests of tables whose rows are not loaded as the bundle has them, by `tableKey`; 32 hex digits. */
export type LoadedDigests = ReadonlyMap<string, string>;

/**
 * Loads `tables`, as many at once as the database allows, begun in their order.
 * @throws HoldfastError INVALID_CHECKSUM when rows went missing; what bundle and database refuse with
 */
export async function loadTables(
  reader: BundleReader,
  transaction: DatabaseRestore,
  tables: readonly RestoredTable[],
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<LoadedDigests> {
  meter.expect({ rows: tables.reduce((sum, { bundled }) => sum + bundled.rowCount, 0) });
  const digests = new Map<string, string>();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const waiting = tables.values();
  const loadOnes = async (): Promise<void> => {
    for (const table of waiting) {
      const digest = await loadTable(reader, transaction, table, meter, either);
      if (digest !== undefined) digests.set(tableKey(table.bundled), digest);
    }
  };
  const lanes = Array.from({ length: Math.max(1, transaction.concurrentLoads) }, async () => {
    try {
      await loadOnes();
    } catch (error) {
      // The first failure is the one to tell; the other lanes end with it.
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(lanes);
  if (failed.signal.aborted && !signal.aborted) throw failed.signal.reason;
  await Promise.all(lanes);
  return digests;
}

async function loadTable(
  reader: BundleReader,
  transaction: DatabaseRestore,
  { bundled, target, loading, proving }: RestoredTable,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<string | undefined> {
  meter.item(tableLabel(bundled));
  const digest = proving === undefined ? undefined : new ProjectedDigest(proving.expected);
  const counted = countRows(reader.readTable(bundled, signal), (bytes, rows) => meter.add({ bytes, rows }));
  const taken = await transaction.load(target, projected(counted, loading, digest), signal);
  if (taken !== bundled.rowCount) throw shortOf(bundled, taken);
  return digest?.value();
}

/** Rows as they are loaded; `digest` sees each of them. */
async function* projected(
  rows: AsyncIterable<Buffer>,
  loading: RowProjection | undefined,
  digest: ProjectedDigest | undefined,
): AsyncGenerator<Buffer> {
  const projector = loading === undefined ? undefined : new RowProjector(loading);
  for await (const chunk of rows) {
    const loaded = projector === undefined ? chunk : projector.project(chunk);
    digest?.update(loaded);
    yield loaded;
  }
}

/** The content digest of rows seen through a projection. */
export class ProjectedDigest {
  readonly #projector: RowProjector;
  readonly #digest = new ContentDigest();

  constructor(projection: RowProjection) {
    this.#projector = new RowProjector(projection);
  }

  /** Takes row lines; chunks may end anywhere. */
  update(chunk: Buffer): void {
    this.#digest.update(this.#projector.project(chunk));
  }

  /** Whole rows so far. */
  get rows(): number {
    return this.#digest.rows;
  }

  /** 32 hex digits. */
  value(): string {
    return this.#digest.totals().digest;
  }
}

async function* countRows(
  rows: AsyncIterable<Buffer>,
  onChunk: (bytes: number, rows: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of rows) {
    let count = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count += 1;
    onChunk(chunk.length, count);
    yield chunk;
  }
}

/** The database does not hold as many rows as the bundle. */
export function shortOf(table: ManifestTable, rows: number): HoldfastError {
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `${tableLabel(table)}: the database holds ${rows} rows after loading, the bundle has ${table.rowCount}.`,
    { hint: 'Everything was rolled back. A rule or trigger of the target may refuse or add rows.' },
  );
}
