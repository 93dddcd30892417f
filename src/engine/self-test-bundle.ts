/** The canary of a self-test, into a bundle in the storage and back from there, by the code that serves sources. */
import type { BundleReader } from '../bundle/bundle.ts';
import type { Compression, ManifestDatabase } from '../bundle/manifest.ts';
import type { Sealing } from '../bundle/sealing.ts';
import { HoldfastError } from '../errors.ts';
import type { SwapPlan } from '../source/file-trees.ts';
import type { Database } from '../source/source.ts';
import { checkChecksum, withCheckedBundle } from './check-bundle.ts';
import { type LoadedDatabase, loadDatabase } from './load-database.ts';
import { type BundleFile, requireUnlocked } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { type RestoredTable, restoredTable } from './restored-table.ts';
import type { RunningRecord } from './running-record.ts';
import { type CanaryPlace, LOCK_TIMEOUT_MS } from './self-test-canary.ts';
import { type StagedFiles, stageFiles } from './stage-files.ts';
import { signerOf } from './trust.ts';
import { writeBundle } from './write-bundle.ts';

/** What goes into the bundle, and where that goes. */
export interface CanaryOrder {
  readonly place: CanaryPlace;
  readonly database: Database;
  readonly storageKey: string;
  readonly compression: Compression;
  readonly sealing: Sealing;
}

/** Phases SNAPSHOT, TABLES, FILES and STORE. */
export async function backUpCanary(
  parts: EngineParts,
  record: RunningRecord,
  { place, database, storageKey, compression, sealing }: CanaryOrder,
): Promise<BundleFile> {
  const { workspaceId, id } = record.row;
  const { checksum, sizeBytes } = await writeBundle(
    { ...parts, trees: place.trees, openDatabase: async () => database },
    record,
    {
      source: {
        id,
        workspaceId,
        name: 'self-test',
        createdAt: record.row.queuedAt,
        database: { kind: 'SQLITE', path: place.server },
        excludedTables: [],
        clearedColumns: [],
        trees: [place.tree],
        configTrees: [],
        envFile: null,
      },
      content: {
        database: true,
        tables: null,
        excludedTables: [],
        trees: [{ area: 'files', tree: place.tree }],
        envFilePath: null,
        complete: true,
        leaveOutUnreadable: false,
      },
      storageKey,
      compression,
      sealing,
      spoolDirectory: `${place.directory}/spool`,
    },
  );
  return {
    workspaceId,
    name: storageKey.slice(storageKey.lastIndexOf('/') + 1),
    checksum,
    sizeBytes,
    sourceId: null,
    backupId: null,
    open: (signal) => parts.storage.open(storageKey, signal),
  };
}

/** Phases CHECKSUM to COMMIT. The canary's database as it was restored; its files are in their place. */
export async function restoreCanary(
  parts: EngineParts,
  record: RunningRecord,
  place: CanaryPlace,
  bundle: BundleFile,
): Promise<Database> {
  await checkChecksum(record, bundle);
  const accept = async (reader: BundleReader): Promise<void> => {
    requireUnlocked(reader, bundle);
    const { state } = await signerOf(parts, bundle.workspaceId, reader.signature);
    if (state === 'OWN') return;
    throw new HoldfastError('INVALID_SIGNATURE', 'The bundle does not bear the signature of this instance.');
  };
  return await withCheckedBundle(parts, record, bundle, accept, 'PROVEN', (reader) =>
    restoreFrom(parts, record, place, reader),
  );
}

async function restoreFrom(
  parts: EngineParts,
  record: RunningRecord,
  place: CanaryPlace,
  reader: BundleReader,
): Promise<Database> {
  const { database: bundled } = reader.manifest;
  if (bundled === null) throw new HoldfastError('INVALID_MANIFEST', 'The bundle holds no database.');
  const { database } = await place.ground.create(place.databaseName, undefined, record.signal);
  const tables = bundled.tables.map((table) => restoredTable(table, undefined, []));
  const staged = await stage(parts, record, place, reader);
  try {
    const loaded = await load(record, reader, database, bundled, tables);
    await record.phase('COMMIT', () => commit(place, staged.swaps, loaded));
    return database;
  } catch (error) {
    await staged.abort();
    throw error;
  }
}

async function stage(
  parts: EngineParts,
  record: RunningRecord,
  { trees, tree }: CanaryPlace,
  reader: BundleReader,
): Promise<StagedFiles> {
  return await record.phase('STAGE_FILES', async (meter) => {
    const targets = reader.manifest.trees.map((bundled) => ({ bundled, target: tree }));
    const order = { reader, trees: targets, envFile: null, restoreId: record.row.id };
    return await stageFiles({ ...parts, trees }, order, meter, record.signal);
  });
}

async function load(
  record: RunningRecord,
  reader: BundleReader,
  database: Database,
  { sequences }: ManifestDatabase,
  tables: readonly RestoredTable[],
): Promise<LoadedDatabase> {
  const script = await reader.readSchema(record.signal);
  if (script === null) throw new HoldfastError('INVALID_MANIFEST', 'The bundle holds no structure.');
  return await loadDatabase(record, {
    database,
    reader,
    tables,
    sequences,
    request: {
      tables: tables.map(({ target }) => target),
      clearedColumns: [],
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      endSessions: false,
      restoreId: record.row.id,
      schema: { mode: 'CREATE', script },
    },
  });
}

async function commit(
  { trees }: CanaryPlace,
  swaps: readonly SwapPlan[],
  { transaction }: LoadedDatabase,
): Promise<void> {
  try {
    for (const plan of swaps) await trees.swap(plan);
    await transaction.commit();
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
  for (const plan of swaps) await trees.discardPrevious(plan);
}
