/** What a selection means for a source or a bundle. Pure. */
import type { Manifest, ManifestTable, ManifestTree } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { FileTree } from '../source/file-trees.ts';
import type { LeftOut } from '../source/left-out.ts';
import type { DatabaseDescription, ForeignKey, Table, TableName } from '../source/source.ts';
import type { Selection } from './engine.ts';
import { tableKey, tableLabel } from './table-order.ts';

/** A tree and the area of the bundle it belongs to. */
export interface SelectedTree {
  readonly area: 'files' | 'config';
  readonly tree: FileTree;
}

/** What goes into a bundle. */
export interface BundleContent {
  readonly database: boolean;
  /** Null takes every table that is not excluded. */
  readonly tables: readonly TableName[] | null;
  readonly excludedTables: readonly TableName[];
  readonly trees: readonly SelectedTree[];
  /** Null leaves it out. */
  readonly envFilePath: string | null;
  /** Whether a file that cannot be read fails the backup; else it is left out with a warning. */
  readonly complete: boolean;
  /** Whether a table that cannot be read is left out with a warning; else it fails the backup. */
  readonly leaveOutUnreadable: boolean;
}

/** What a restore is about to replace: backed up whatever the source leaves out of backups today. */
export interface PreRestoreContent {
  /** Whether the database is replaced, in part or, without any table, its structure alone. */
  readonly database: boolean;
  readonly tables: readonly TableName[];
  /** With the globs of the bundle that is restored. */
  readonly trees: readonly SelectedTree[];
  /** The file the env file is written over; null when there is none. */
  readonly envFilePath: string | null;
  /** Whether the restore may not go on without all of it. */
  readonly complete: boolean;
}

/** The content of a backup before a restore. */
export function contentBefore({
  database,
  tables,
  trees,
  envFilePath,
  complete,
}: PreRestoreContent): BundleContent {
  return {
    database,
    tables,
    excludedTables: [],
    trees,
    envFilePath,
    complete,
    leaveOutUnreadable: false,
  };
}

/** The content of a backup. @throws HoldfastError INVALID_INPUT for a tree the source does not have */
export function contentOf(
  source: SourceRow,
  selection: Selection,
  leaveOutUnreadable: boolean,
): BundleContent {
  return {
    database: selection.database,
    tables: selection.tables,
    excludedTables: source.excludedTables,
    trees: selectTrees(source, selection),
    envFilePath: selection.envFile ? (source.envFile?.path ?? null) : null,
    complete: false,
    leaveOutUnreadable,
  };
}

/** The tables there are to back up: what is there in every database counts once it holds something. */
export function presentTables({ tables }: Pick<DatabaseDescription, 'tables'>): readonly Table[] {
  return tables.filter((table) => table.implicit !== true || table.rowEstimate > 0);
}

/** The tables to back up, and those left out with the reason. */
export interface SelectedTables {
  readonly tables: readonly Table[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * Chooses from the live tables.
 * @throws HoldfastError INVALID_INPUT for a table that does not exist or that the source excludes
 */
export function selectTables(
  live: readonly Table[],
  excluded: readonly TableName[],
  chosen: readonly TableName[] | null,
): SelectedTables {
  const excludedKeys = new Set(excluded.map(tableKey));
  const chosenKeys = chosen === null ? null : new Set(chosen.map(tableKey));
  const liveKeys = new Set(live.map(tableKey));
  for (const name of chosen ?? []) {
    const key = tableKey(name);
    if (!liveKeys.has(key) || excludedKeys.has(key)) {
      const why = excludedKeys.has(key) ? 'is excluded by its source' : 'does not exist in the database';
      throw new HoldfastError('INVALID_INPUT', `The table ${tableLabel(name)} ${why}.`, {
        field: 'selection.tables',
        hint: 'testSource lists the tables that can be backed up.',
      });
    }
  }
  const tables: Table[] = [];
  const leftOut: LeftOut[] = [];
  for (const table of live) {
    const key = tableKey(table);
    if (excludedKeys.has(key)) leftOut.push({ name: tableLabel(table), reason: 'excluded by the source' });
    else if (chosenKeys !== null && !chosenKeys.has(key)) {
      leftOut.push({ name: tableLabel(table), reason: 'not in the selection' });
    } else tables.push(table);
  }
  return { tables, leftOut };
}

/**
 * Chooses from the trees of a source.
 * @throws HoldfastError INVALID_INPUT for a tree the source does not have
 */
export function selectTrees(source: SourceRow, selection: Selection): SelectedTree[] {
  return [
    ...pick(source.trees, selection.trees, 'trees', (tree) => tree.name).map((tree) => ({
      area: 'files' as const,
      tree,
    })),
    ...pick(source.configTrees, selection.configTrees, 'configTrees', (tree) => tree.name).map((tree) => ({
      area: 'config' as const,
      tree,
    })),
  ];
}

/** The tables of a bundle to restore, in the manifest's order. @throws HoldfastError INVALID_INPUT */
export function selectBundledTables(manifest: Manifest, selection: Selection): ManifestTable[] {
  if (!selection.database || manifest.database === null) return [];
  const { tables } = manifest.database;
  if (selection.tables === null) return tables;
  const chosen = new Set(selection.tables.map(tableKey));
  const held = new Set(tables.map(tableKey));
  const unknown = selection.tables.find((name) => !held.has(tableKey(name)));
  if (unknown !== undefined) {
    throw new HoldfastError('INVALID_INPUT', `The bundle holds no table ${tableLabel(unknown)}.`, {
      field: 'selection.tables',
      hint: "The backup's manifest lists what it holds.",
    });
  }
  return tables.filter((table) => chosen.has(tableKey(table)));
}

/** The trees of a bundle to restore. @throws HoldfastError INVALID_INPUT */
export function selectBundledTrees(manifest: Manifest, selection: Selection): ManifestTree[] {
  const files = manifest.trees.filter((tree) => tree.area === 'files');
  const config = manifest.trees.filter((tree) => tree.area === 'config');
  return [
    ...pick(files, selection.trees, 'trees', (tree) => tree.name),
    ...pick(config, selection.configTrees, 'configTrees', (tree) => tree.name),
  ];
}

function pick<T>(
  all: readonly T[],
  names: readonly string[] | null,
  field: string,
  nameOf: (item: T) => string,
): T[] {
  if (names === null) return [...all];
  const unknown = names.find((name) => !all.some((item) => nameOf(item) === name));
  if (unknown !== undefined) {
    throw new HoldfastError('INVALID_INPUT', `There is no tree named "${unknown}" here.`, {
      field: `selection.${field}`,
      hint: all.length === 0 ? 'It has none at all.' : `It has: ${all.map(nameOf).join(', ')}.`,
    });
  }
  return all.filter((item) => names.includes(nameOf(item)));
}

/** Warnings about foreign keys that lead from the tables of a partial operation to tables outside of it. */
export function reachingOutside(
  tables: readonly (TableName & {
    readonly foreignKeys: readonly Pick<ForeignKey, 'columns' | 'references'>[];
  })[],
): string[] {
  const inside = new Set(tables.map(tableKey));
  return tables.flatMap((table) =>
    table.foreignKeys
      .filter((key) => !inside.has(tableKey(key.references)))
      .map(
        (key) =>
          `${tableLabel(table)} (${key.columns.join(', ')}) references ${tableLabel(key.references)}, which is not part of this.`,
      ),
  );
}
