/** One backup, from the live source to a stored bundle: snapshot, tables, files, manifest, storage. */
import { hostname } from 'node:os';
import type { BundleWriter } from '../bundle/bundle.ts';
import type { Compression, ManifestDraft, ManifestTree } from '../bundle/manifest.ts';
import type { Sealing } from '../bundle/sealing.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { DatabaseSnapshot } from '../source/source.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import type { RunningRecord } from './running-record.ts';
import type { BundleContent } from './selection.ts';
import { type StoredBundle, storeBundle } from './store-bundle.ts';
import { writeEnvFile } from './write-env-file.ts';
import { type WrittenDatabase, writeTables } from './write-tables.ts';
import { writeTrees } from './write-trees.ts';

/** What a bundle is made of. */
export interface BundleOrder {
  readonly source: SourceRow;
  readonly content: BundleContent;
  readonly storageKey: string;
  readonly compression: Compression;
  readonly sealing: Sealing;
  /** As in {@link storeBundle}. */
  readonly spoolDirectory?: string;
}

/** Writes a bundle and stores it. Of a failed one nothing stays. */
export async function writeBundle(
  parts: EngineParts,
  record: RunningRecord,
  order: BundleOrder,
): Promise<StoredBundle> {
  const snapshot = await openSnapshot(parts, record, order);
  try {
    return await storeBundle(parts, record, order, (writer, signal) =>
      fill(parts, record, order, snapshot, writer, signal),
    );
  } finally {
    await snapshot?.close();
  }
}

async function openSnapshot(
  parts: EngineParts,
  record: RunningRecord,
  { source, content }: BundleOrder,
): Promise<DatabaseSnapshot | undefined> {
  const { database } = source;
  if (database === null || !content.database) return undefined;
  let snapshot: DatabaseSnapshot | undefined;
  try {
    return await record.phase('SNAPSHOT', async () => {
      snapshot = await (await openDatabase(parts, database)).openSnapshot(record.signal);
      return snapshot;
    });
  } catch (error) {
    // The end of the phase may fail too, when the catalog does.
    await snapshot?.close();
    throw error;
  }
}

/** Everything the manifest says that the writer does not know, gathered while the entries go in. */
async function fill(
  parts: EngineParts,
  record: RunningRecord,
  { source, content }: BundleOrder,
  snapshot: DatabaseSnapshot | undefined,
  writer: BundleWriter,
  signal: AbortSignal,
): Promise<ManifestDraft> {
  const { database, leftOut } = await fillTables(record, content, snapshot, writer, signal);
  // Locks and old row versions are held no longer than the rows need them.
  await snapshot?.close();
  const filesFrom = parts.now();
  const trees = await fillFiles(parts, record, content, writer, signal);
  const envFile = content.envFilePath !== null;
  const anyFiles = trees.length > 0 || envFile;
  if (database === null && !anyFiles) {
    throw new HoldfastError('INVALID_INPUT', 'The selection leaves nothing to back up.', {
      field: 'selection',
      hint: 'Select the database, a tree, a configuration directory or the env file.',
    });
  }
  const envFileLeftOut = { name: 'env file', reason: 'holds secrets; it is backed up only when asked for' };
  return {
    createdAt: record.row.queuedAt.toISOString(),
    createdBy: record.row.requestedBy,
    trigger: record.row.trigger,
    host: { name: hostname(), platform: process.platform },
    source: { id: source.id, name: source.name },
    database,
    trees,
    envFile,
    filesReadAt: anyFiles ? { from: filesFrom.toISOString(), to: parts.now().toISOString() } : null,
    leftOut: [...leftOut, ...(source.envFile !== null && !envFile ? [envFileLeftOut] : [])],
    warnings: record.warnings,
  };
}

async function fillTables(
  record: RunningRecord,
  content: BundleContent,
  snapshot: DatabaseSnapshot | undefined,
  writer: BundleWriter,
  signal: AbortSignal,
): Promise<WrittenDatabase | { database: null; leftOut: [] }> {
  if (snapshot === undefined) return { database: null, leftOut: [] };
  return await record.phase('TABLES', (meter) =>
    writeTables(record, content, snapshot, writer, meter, signal),
  );
}

async function fillFiles(
  parts: EngineParts,
  record: RunningRecord,
  content: BundleContent,
  writer: BundleWriter,
  signal: AbortSignal,
): Promise<ManifestTree[]> {
  const { trees, envFilePath } = content;
  if (trees.length === 0 && envFilePath === null) return [];
  return await record.phase('FILES', async (meter) => {
    const written = await writeTrees(parts, record, content, writer, meter, signal);
    if (envFilePath !== null) await writeEnvFile(parts, envFilePath, writer, meter, signal);
    return written;
  });
}
