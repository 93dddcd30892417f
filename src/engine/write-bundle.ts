/**
 * One backup, from the live source to a stored bundle: snapshot, tables, files, manifest, storage. Nothing is
 * visible before the storage has committed, and nothing of a failed one stays.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BundleWriter } from '../bundle/bundle.ts';
import type { Manifest, ManifestDatabase, ManifestDraft, ManifestTree } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../errors.ts';
import type { DatabaseSnapshot, FileTree, LeftOut, SkippedEntry } from '../source/source.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { RunningRecord } from './running-record.ts';
import { type BundleContent, reachingOutside, selectTables } from './selection.ts';
import { orderTables, schemaFingerprint, tableLabel } from './table-order.ts';

/** A bundle that is in storage. */
export interface StoredBundle {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  readonly checksum: string;
}

/** What a bundle is made of. */
export interface BundleOrder {
  readonly source: SourceRow;
  readonly content: BundleContent;
  readonly storageKey: string;
}

/** Writes a bundle and stores it. */
export async function writeBundle(
  parts: EngineParts,
  record: RunningRecord,
  order: BundleOrder,
): Promise<StoredBundle> {
  const snapshot = await openSnapshot(parts, record, order);
  try {
    return await store(parts, record, order, (writer, signal) =>
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
  return await record.phase(
    'SNAPSHOT',
    async () => await (await openDatabase(parts, database)).openSnapshot(record.signal),
  );
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
  const leftOut: LeftOut[] = [];
  const database =
    snapshot === undefined
      ? null
      : await record.phase('TABLES', async (meter) =>
          writeTables(record, content, snapshot, writer, leftOut, meter, signal),
        );
  // Locks and old row versions are held no longer than the rows need them.
  await snapshot?.close();
  const { trees, envFilePath: envFile } = content;
  const filesFrom = parts.now();
  const written =
    trees.length === 0 && envFile === null
      ? []
      : await record.phase('FILES', async (meter) => {
          const summaries = await writeTrees(parts, record, content, writer, meter, signal);
          if (envFile !== null) await writeEnvFile(parts, envFile, writer, meter, signal);
          return summaries;
        });
  if (database === null && written.length === 0 && envFile === null) {
    throw new HoldfastError('INVALID_INPUT', 'The selection leaves nothing to back up.', {
      field: 'selection',
      hint: 'Select the database, a tree, a configuration directory or the env file.',
    });
  }
  if (source.envFile !== null && envFile === null) {
    leftOut.push({ name: 'env file', reason: 'holds secrets; it is backed up only when asked for' });
  }
  const anyFiles = written.length > 0 || envFile !== null;
  return {
    createdAt: record.row.queuedAt.toISOString(),
    createdBy: record.row.requestedBy,
    trigger: record.row.trigger,
    host: { name: hostname(), platform: process.platform },
    source: { id: source.id, name: source.name },
    database,
    trees: written,
    envFile: envFile !== null,
    filesReadAt: anyFiles ? { from: filesFrom.toISOString(), to: parts.now().toISOString() } : null,
    leftOut,
    warnings: record.warnings,
  };
}

async function writeTables(
  record: RunningRecord,
  content: BundleContent,
  snapshot: DatabaseSnapshot,
  writer: BundleWriter,
  leftOut: LeftOut[],
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<ManifestDatabase> {
  const { description } = snapshot;
  const selected = selectTables(description.tables, content.excludedTables, content.tables);
  leftOut.push(...description.leftOut, ...selected.leftOut);
  const ordered = orderTables(selected.tables).tables;
  for (const warning of reachingOutside(ordered)) record.warn(warning);
  meter.expect({ rows: ordered.reduce((sum, table) => sum + table.rowEstimate, 0) });
  const tables: ManifestDatabase['tables'] = [];
  for (const table of ordered) {
    meter.item(tableLabel(table));
    tables.push(
      await writer.addTable(
        {
          schema: table.schema,
          name: table.name,
          columns: table.columns
            .filter((column) => !column.generated)
            .map(({ name, type, nullable }) => ({ name, type, nullable })),
          primaryKey: [...table.primaryKey],
          foreignKeys: table.foreignKeys.map((key) => ({
            name: key.name,
            columns: [...key.columns],
            references: { schema: key.references.schema, name: key.references.name },
            referencedColumns: [...key.referencedColumns],
          })),
        },
        snapshot.readRows(table, signal),
        meter.add,
        signal,
      ),
    );
  }
  const sequences = await snapshot.readSequences(ordered, signal);
  return {
    kind: description.kind,
    serverVersion: description.serverVersion,
    name: description.databaseName,
    snapshotAt: snapshot.instant.toISOString(),
    schemaFingerprint: schemaFingerprint(ordered),
    appliedMigrations: [...description.appliedMigrations],
    tables,
    sequences: sequences.map(({ schema, name, lastValue, isCalled }) => ({
      schema,
      name,
      lastValue,
      isCalled,
    })),
  };
}

async function writeTrees(
  parts: EngineParts,
  record: RunningRecord,
  { trees, complete }: BundleContent,
  writer: BundleWriter,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<ManifestTree[]> {
  meter.expect({ bytes: await bytesIn(parts, trees, signal) });
  const summaries: ManifestTree[] = [];
  for (const { area, tree } of trees) {
    const skipped = (entry: SkippedEntry): void =>
      record.warn(`${tree.name}/${entry.path} was left out: ${entry.reason}`);
    let fileCount = 0;
    let bytes = 0;
    for await (const entry of parts.trees.walk(tree, skipped, signal)) {
      meter.item(`${tree.name}/${entry.path}`);
      const base = { area, tree: tree.name, path: entry.path, mode: entry.mode, mtimeNs: entry.mtimeNs };
      if (entry.kind === 'DIRECTORY') {
        await writer.addFile({ ...base, kind: 'DIRECTORY' }, undefined, meter.add, signal);
      } else if (entry.kind === 'SYMLINK') {
        await writer.addFile(
          { ...base, kind: 'SYMLINK', target: entry.target },
          undefined,
          meter.add,
          signal,
        );
      } else {
        const file = await parts.trees.open(tree, entry.path, skipped, signal);
        if (file === undefined) {
          await requireExpendable(complete, tree, entry.path);
          continue;
        }
        const written = await writer.addFile({ ...base, kind: 'FILE' }, file.content, meter.add, signal);
        const changed = await file.changedWhileRead();
        if (changed !== undefined)
          record.warn(`${tree.name}/${entry.path} changed while it was read: ${changed}`);
        fileCount += 1;
        bytes += written.sizeBytes;
      }
    }
    const { include, exclude } = tree;
    summaries.push({ area, name: tree.name, include: [...include], exclude: [...exclude], fileCount, bytes });
  }
  return summaries;
}

/** A backup that has to be complete may pass over what vanished, and nothing else. */
async function requireExpendable(complete: boolean, tree: FileTree, path: string): Promise<void> {
  if (!complete) return;
  try {
    await lstat(join(tree.path, path));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
  }
  throw new HoldfastError(
    'SOURCE_UNREACHABLE',
    `${tree.name}/${path} cannot be read, so it cannot be kept.`,
    {
      hint: 'Give the user that runs Holdfast permission to read it.',
    },
  );
}

/** A first walk, for the fraction alone; what it cannot see the second one will tell. */
async function bytesIn(
  parts: EngineParts,
  trees: BundleContent['trees'],
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  for (const { tree } of trees) {
    for await (const entry of parts.trees.walk(tree, () => undefined, signal)) {
      if (entry.kind === 'FILE') bytes += entry.sizeBytes;
    }
  }
  return bytes;
}

async function writeEnvFile(
  parts: EngineParts,
  path: string,
  writer: BundleWriter,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<void> {
  const directory: FileTree = { name: 'env', path: dirname(path), include: [], exclude: [] };
  const refuse = ({ reason }: SkippedEntry): never => {
    throw new HoldfastError('SOURCE_UNREACHABLE', `The env file ${path} cannot be read: ${reason}.`, {
      hint: 'Mend its path or permissions, or make the backup without it.',
    });
  };
  await parts.trees.check(path, 'FILE');
  const { mode, mtimeNs } = await stat(path, { bigint: true });
  const file =
    (await parts.trees.open(directory, basename(path), refuse, signal)) ??
    refuse({ path: '.env', reason: 'it vanished' });
  meter.item('env file');
  await writer.addFile(
    {
      area: 'env',
      tree: '',
      path: '.env',
      mode: Number(mode & 0o7777n),
      mtimeNs: String(mtimeNs),
      kind: 'FILE',
    },
    file.content,
    meter.add,
    signal,
  );
}

/** Runs `work` on a writer whose bytes go to storage, hashed on the way. */
async function store(
  parts: EngineParts,
  record: RunningRecord,
  order: BundleOrder,
  work: (writer: BundleWriter, signal: AbortSignal) => Promise<ManifestDraft>,
): Promise<StoredBundle> {
  const spoolDirectory = join(parts.directories.temporary, record.row.id);
  try {
    await mkdir(spoolDirectory, { recursive: true, mode: 0o700 });
    return await storeThrough(parts, record, order, spoolDirectory, work);
  } finally {
    await rm(spoolDirectory, { recursive: true, force: true });
  }
}

async function storeThrough(
  parts: EngineParts,
  record: RunningRecord,
  order: BundleOrder,
  spoolDirectory: string,
  work: (writer: BundleWriter, signal: AbortSignal) => Promise<ManifestDraft>,
): Promise<StoredBundle> {
  const upload = await parts.storage.create(order.storageKey, record.signal);
  // A storage that fails (full disk) must stop the writer at once, with the storage's own error.
  const storageFailed = new AbortController();
  const signal = AbortSignal.any([record.signal, storageFailed.signal]);
  const hash = createHash('sha256');
  const sink = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const stored = pipeline(sink, upload.writable);
  stored.catch((error: unknown) => storageFailed.abort(error));
  const writer = parts.bundles.createWriter({ sink, spoolDirectory });
  try {
    const draft = await work(writer, signal);
    const { manifest, object } = await record.phase('STORE', async () => {
      const finished = await writer.finish(draft, signal);
      await stored;
      throwIfAborted(signal);
      return { manifest: finished, object: await upload.commit() };
    });
    return { manifest, sizeBytes: object.sizeBytes, checksum: hash.digest('hex') };
  } catch (error) {
    // Looked at before the stream is torn down, which it takes for a fault of its own.
    const cause =
      storageFailed.signal.aborted && !record.signal.aborted ? storageFailed.signal.reason : error;
    await writer.abort();
    sink.destroy();
    await stored.catch(() => undefined);
    await upload.abort().catch((leftover: unknown) => {
      parts.log.warn({ err: leftover, recordId: record.row.id }, 'an unfinished bundle could not be removed');
    });
    throw cause;
  }
}
