/** What a scratch database holds once a drill has committed, against what the manifest says. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { ManifestTable } from '../bundle/manifest.ts';
import { HoldfastError } from '../errors.ts';
import type {
  Database,
  DatabaseSnapshot,
  ForeignKey,
  SequenceState,
  Table,
  TableToRestore,
} from '../source/source.ts';
import type { LoadedDatabase } from './load-database.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { type ProvenTable, proveTables } from './prove-tables.ts';
import type { RestoredTable } from './restored-table.ts';
import type { RunningRecord } from './running-record.ts';
import { compareScripts } from './schema-differences.ts';
import { tableKey, tableLabel } from './table-order.ts';

/** A drill that was committed. */
export interface RestoredScratch {
  readonly reader: BundleReader;
  readonly scratch: Database;
  readonly tables: readonly RestoredTable[];
  readonly loaded: LoadedDatabase;
}

/** More objects than this are not named in a warning. */
const NAMED = 5;

/**
 * Reads every row, counter and foreign key back; what differs goes to `differences`, table after table until the
 * first whose rows do.
 */
export async function compareScratch(
  record: RunningRecord,
  { reader, scratch, tables, loaded }: RestoredScratch,
  meter: ProgressMeter,
  differences: string[],
): Promise<readonly ProvenTable[]> {
  const { signal } = record;
  const { database } = reader.manifest;
  if (database === null) return [];
  const snapshot = await scratch.openSnapshot(signal);
  try {
    const live = new Map(snapshot.description.tables.map((table) => [tableKey(table), table]));
    const written = {
      readRows: (target: TableToRestore) => snapshot.readRows(liveTable(live, target), signal),
    };
    let proven: readonly ProvenTable[] = [];
    try {
      proven = await proveTables(reader, written, tables, loaded.digests, meter, signal);
    } catch (error) {
      differences.push(differenceIn(error));
    }
    for (const table of database.tables) differences.push(...foreignKeysOf(table, live.get(tableKey(table))));
    const names = snapshot.description.tables;
    differences.push(...countersOf(database.sequences, await snapshot.readSequences(names, signal)));
    await compareStructure(record, reader, snapshot);
    return proven;
  } finally {
    await snapshot.close();
  }
}

/** What is wrong with the content; any other error ends the drill without a verdict. */
function differenceIn(error: unknown): string {
  const tells =
    error instanceof HoldfastError && ['INVALID_CHECKSUM', 'SCHEMA_MISMATCH'].includes(error.code);
  if (!tells) throw error;
  return error.message;
}

function liveTable(live: ReadonlyMap<string, Table>, target: TableToRestore): Table {
  const table = live.get(tableKey(target));
  const columns = target.columns.flatMap(
    (name) => table?.columns.find((column) => column.name === name) ?? [],
  );
  if (table === undefined || columns.length < target.columns.length) {
    throw new HoldfastError('SCHEMA_MISMATCH', `${tableLabel(target)} is not there as it is in the bundle.`);
  }
  return { ...table, columns };
}

/** As people read a key, and as two of them compare: its name, columns and what it points to. */
function keyText({ name, columns, references, referencedColumns }: Omit<ForeignKey, 'deferrable'>): string {
  return `${name} (${columns.join(', ')}) to ${tableLabel(references)} (${referencedColumns.join(', ')})`;
}

function foreignKeysOf(bundled: ManifestTable, live: Table | undefined): string[] {
  const expected = bundled.foreignKeys.map(keyText);
  const found = (live?.foreignKeys ?? []).map(keyText);
  const label = tableLabel(bundled);
  return [
    ...expected.filter((key) => !found.includes(key)).map((key) => `${label} lacks the foreign key ${key}.`),
    ...found
      .filter((key) => !expected.includes(key))
      .map((key) => `${label} has a foreign key that the manifest does not know: ${key}.`),
  ];
}

/** Counters of tables whose rows are not in the bundle are there too; those are nobody's. */
function countersOf(bundled: readonly SequenceState[], live: readonly SequenceState[]): string[] {
  const found = new Map(live.map((state) => [tableKey(state), state]));
  return bundled.flatMap((state) => {
    const now = found.get(tableKey(state));
    if (now?.lastValue === state.lastValue && now.isCalled === state.isCalled) return [];
    const told =
      now === undefined ? 'is missing' : `stands at ${now.lastValue} instead of ${state.lastValue}`;
    return [`The sequence or counter ${tableLabel(state)} ${told}.`];
  });
}

/** Owners and privileges depend on the server, so a structure that differs is worth a word and no more. */
async function compareStructure(
  record: RunningRecord,
  reader: BundleReader,
  snapshot: DatabaseSnapshot,
): Promise<void> {
  const script = await reader.readSchema(record.signal);
  if (script === null) return;
  const differing = compareScripts(script, await snapshot.readSchema(record.signal)).differences.filter(
    ({ object }) => !object.startsWith('EVENT '),
  );
  if (differing.length === 0) return;
  const named = differing.slice(0, NAMED).map(({ object, change }) => `${object} ${change}`);
  const more = differing.length > NAMED ? ` and ${differing.length - NAMED} more` : '';
  record.warn(
    `In the scratch database the structure is not wholly the bundle's: ${named.join(', ')}${more}.`,
  );
}
