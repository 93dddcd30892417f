/** Puts points into an engine's parts at which a test can stop its process, or make it fail. */
import { lstat, rename } from 'node:fs/promises';
import { basename } from 'node:path';
import type { BundleFormat } from '../../src/bundle/bundle.ts';
import type { Catalog } from '../../src/catalog/catalog.ts';
import type { EngineParts } from '../../src/engine/parts.ts';
import type { FileTrees, SwapPlan, TreeStage } from '../../src/source/file-trees.ts';
import type { Database, DatabaseRestore, DatabaseSnapshot } from '../../src/source/source.ts';
import type { Storage, StorageUpload } from '../../src/storage/storage.ts';

/** Called with the name of each point as it is passed; what it throws is the fault. */
export type AtPoint = (point: string) => void | Promise<void>;

/** Every part that does something, with points before and after what it does. */
export function withPoints(parts: EngineParts, at: AtPoint): Partial<EngineParts> {
  return {
    catalog: catalogWithPoints(parts.catalog, at),
    storage: storageWithPoints(parts.storage, at),
    trees: treesWithPoints(parts.trees, at),
    bundles: bundlesWithPoints(parts.bundles, at),
    openDatabase: async (settings) => databaseWithPoints(await parts.openDatabase(settings), at),
  };
}

function catalogWithPoints(catalog: Catalog, at: AtPoint): Catalog {
  return {
    ...catalog,
    records: {
      ...catalog.records,
      async append(id, owner, change, event) {
        const name = event.phase === null ? event.type : `${event.type} ${event.phase.name}`;
        // The request for a change is a result of some kind of record; only restores have this field.
        const result = change.result as { targetState?: string } | null | undefined;
        const tellsNew = event.type === 'RECORD_CHANGED' && result?.targetState === 'WHOLLY_NEW';
        await at(`before ${name}`);
        if (tellsNew) await at('before result');
        const written = await catalog.records.append(id, owner, change, event);
        await at(`after ${name}`);
        if (tellsNew) await at('after result');
        return written;
      },
    },
    backups: {
      ...catalog.backups,
      async create(backup) {
        await at('before catalogue');
        const row = await catalog.backups.create(backup);
        await at('after catalogue');
        return row;
      },
    },
  };
}

function storageWithPoints(storage: Storage, at: AtPoint): Storage {
  return {
    ...storage,
    async create(key, signal) {
      const upload = await storage.create(key, signal);
      const pointed: StorageUpload = {
        writable: upload.writable,
        abort: () => upload.abort(),
        async commit() {
          await at('before store');
          const stored = await upload.commit();
          await at('after store');
          return stored;
        },
      };
      return pointed;
    },
  };
}

function bundlesWithPoints(bundles: BundleFormat, at: AtPoint): BundleFormat {
  return {
    createWriter: (options) => bundles.createWriter(options),
    async openReader(file, signal, options) {
      const reader = await bundles.openReader(file, signal, options);
      return {
        manifest: reader.manifest,
        signature: reader.signature,
        locked: reader.locked,
        entries: (entriesSignal) => reader.entries(entriesSignal),
        readTable: (table, tableSignal) => reader.readTable(table, tableSignal),
        readRows: (table, range, rowsSignal) => reader.readRows(table, range, rowsSignal),
        readSchema: (schemaSignal) => reader.readSchema(schemaSignal),
        readFile: (entry, fileSignal) => reader.readFile(entry, fileSignal),
        async verifyContent(onProgress, verifySignal, onDamage, rows) {
          await at('in content');
          return await reader.verifyContent(onProgress, verifySignal, onDamage, rows);
        },
        close: () => reader.close(),
      };
    },
  };
}

function treesWithPoints(trees: FileTrees, at: AtPoint): FileTrees {
  return {
    check: (path, expects) => trees.check(path, expects),
    checkGlobs: (tree) => trees.checkGlobs(tree),
    realPath: (path) => trees.realPath(path),
    walk: (tree, onSkipped, signal) => trees.walk(tree, onSkipped, signal),
    async open(tree, path, onSkipped, signal) {
      await at(`before file ${path}`);
      const file = await trees.open(tree, path, onSkipped, signal);
      await at(`after open of ${path}`);
      return file;
    },
    async compare(tree, entries, signal) {
      await at('in plan');
      return await trees.compare(tree, entries, signal);
    },
    async stageTree(tree, restoreId, signal) {
      const stage = await trees.stageTree(tree, restoreId, signal);
      const pointed: TreeStage = {
        async put(entry, content, putSignal) {
          await at(`before staging ${entry.path}`);
          await stage.put(entry, content, putSignal);
        },
        async finish(finishSignal) {
          const plan = await stage.finish(finishSignal);
          await at('after stage');
          return plan;
        },
        abort: () => stage.abort(),
      };
      return pointed;
    },
    stageFile: (path, mode, content, restoreId, signal) =>
      trees.stageFile(path, mode, content, restoreId, signal),
    async swap(plan) {
      const name = basename(plan.target);
      await at(`before swap of ${name}`);
      if (name === 'uploads') await inTheMiddleOf(plan, at);
      await trees.swap(plan);
      await at(`after swap of ${name}`);
    },
    async swapBack(plan) {
      await at('before swap back');
      await trees.swapBack(plan);
      await at('after swap back');
    },
    async discardPrevious(plan) {
      await at('before discard');
      await trees.discardPrevious(plan);
      await at('after discard');
    },
    sweep: (path, restoreId) => trees.sweep(path, restoreId),
  };
}

/** A swap is two renames; only who stands between them sees the target gone. Done before the swap begins. */
async function inTheMiddleOf({ target, staged, previous }: SwapPlan, at: AtPoint): Promise<void> {
  const begun = await lstat(staged).then(
    () => false,
    () => true,
  );
  if (begun) return;
  await rename(target, previous);
  await at('within swap');
  await rename(previous, target);
}

function databaseWithPoints(database: Database, at: AtPoint): Database {
  return {
    kind: database.kind,
    describe: (signal) => database.describe(signal),
    countRows: (tables, signal) => database.countRows(tables, signal),
    sessions: (signal) => database.sessions(signal),
    async openSnapshot(signal) {
      const snapshot = await database.openSnapshot(signal);
      await at('in snapshot');
      return snapshotWithPoints(snapshot, at);
    },
    async beginRestore(request, signal) {
      return restoreWithPoints(await database.beginRestore(request, signal), at);
    },
    outcome: (ticket, signal) => database.outcome(ticket, signal),
    sweep: (restoreId, signal) => database.sweep(restoreId, signal),
    async forget(ticket, signal) {
      await at('before forget');
      await database.forget(ticket, signal);
      await at('after forget');
    },
    scratch: {
      check: (signal) => database.scratch.check(signal),
      textSettings: (signal) => database.scratch.textSettings(signal),
      async create(name, like, signal) {
        const made = await database.scratch.create(name, like, signal);
        await at('after scratch');
        return { ...made, database: databaseWithPoints(made.database, at) };
      },
      async drop(name, signal) {
        await at('before drop');
        await database.scratch.drop(name, signal);
      },
    },
  };
}

function snapshotWithPoints(snapshot: DatabaseSnapshot, at: AtPoint): DatabaseSnapshot {
  return {
    description: snapshot.description,
    instant: snapshot.instant,
    async *readRows(table, signal) {
      for await (const chunk of snapshot.readRows(table, signal)) {
        await at(`in rows of ${table.name}`);
        yield chunk;
      }
    },
    readSchema: (signal) => snapshot.readSchema(signal),
    readSequences: (tables, signal) => snapshot.readSequences(tables, signal),
    close: () => snapshot.close(),
  };
}

function restoreWithPoints(restore: DatabaseRestore, at: AtPoint): DatabaseRestore {
  return {
    concurrentLoads: restore.concurrentLoads,
    async clear(signal) {
      await restore.clear(signal);
      await at('after clear');
    },
    async load(table, rows, signal) {
      const taken = await restore.load(table, rows, signal);
      await at(`after load of ${table.name}`);
      return taken;
    },
    async finish(sequences, signal) {
      await restore.finish(sequences, signal);
      await at('after constraints');
    },
    async *readRows(table, signal) {
      for await (const chunk of restore.readRows(table, signal)) {
        await at('in proof');
        yield chunk;
      }
    },
    async ticket() {
      const ticket = await restore.ticket();
      await at('after ticket');
      return ticket;
    },
    async commit() {
      await at('before commit');
      await restore.commit();
      await at('after commit');
    },
    rollback: () => restore.rollback(),
  };
}
