/** The hash by which a restore plan is approved: equal while the restore would do the same to the same place. */
import { createHash } from 'node:crypto';
import type { ManifestTable } from '../bundle/manifest.ts';
import type { DatabaseSettings, SourceRow } from '../catalog/catalog.ts';
import type { DatabaseDescription } from '../source/source.ts';
import type { OnDrift, RestorePlan, Selection } from './engine.ts';
import type { EngineParts } from './parts.ts';
import type { PlannedEnvFile } from './plan-env-file.ts';
import type { PlannedStructure } from './plan-structure.ts';
import type { TreeTarget } from './plan-trees.ts';
import { schemaFingerprint, tableKey } from './table-order.ts';

/** What the hash covers besides the plan itself. */
export interface PlanBasis {
  readonly selection: Selection;
  readonly onDrift: OnDrift;
  readonly live: DatabaseDescription | undefined;
  readonly changesDatabase: boolean;
  readonly structure: PlannedStructure;
  readonly tables: readonly ManifestTable[];
  readonly trees: readonly TreeTarget[];
  readonly envFile: PlannedEnvFile;
}

/** Covers bundle, target and where it is, selection, schema and drift; not row counts, which move. */
export async function planHash(
  parts: EngineParts,
  plan: Omit<RestorePlan, 'hash'>,
  basis: PlanBasis,
): Promise<string> {
  const { selection, onDrift, live, structure } = basis;
  const covered = [
    plan.bundleChecksum,
    plan.target.id,
    [selection.database, selection.tables, selection.trees, selection.configTrees, selection.envFile],
    live === undefined ? null : schemaFingerprint(live.tables),
    [onDrift, plan.structure, plan.schemaDifferences, structure.fingerprint],
    plan.tables.map((table) => [tableKey(table), table.drift]),
    plan.trees.map((tree) => [tree.area, tree.name, tree.target]),
    await placesOf(parts, plan.target, basis),
    plan.refusals,
  ];
  return createHash('sha256').update(JSON.stringify(covered)).digest('hex');
}

/** Where the restore would write, and what it would do on the way. */
async function placesOf(
  parts: EngineParts,
  target: SourceRow,
  { changesDatabase, tables, trees, envFile }: PlanBasis,
): Promise<unknown[]> {
  const restored = new Set(tables.map(tableKey));
  const database = changesDatabase ? target.database : null;
  return [
    database === null ? null : await addressOf(parts, database),
    target.clearedColumns
      .filter(({ table }) => restored.has(tableKey(table)))
      .map(({ table, columns }) => [tableKey(table), columns]),
    await Promise.all(
      trees.map(async ({ bundled, target: { path, include, exclude } }) => [
        bundled.area,
        bundled.name,
        await parts.trees.realPath(path),
        include,
        exclude,
      ]),
    ),
    envFile.path === null ? null : await parts.trees.realPath(envFile.path),
    envFile.overwritesItself,
  ];
}

/** Which database it is, without user and password: those may change without another being meant. */
async function addressOf(parts: EngineParts, settings: DatabaseSettings): Promise<unknown[]> {
  if (settings.kind === 'SQLITE') return [settings.kind, await parts.trees.realPath(settings.path)];
  const url = new URL(settings.url);
  const parameters = ['host', 'port', 'dbname', 'socket'].map((name) => url.searchParams.get(name));
  // Without a name the database is the one that is named like the user.
  const named = url.pathname.length > 1 || url.searchParams.has('dbname');
  const user = named ? null : [url.username, url.searchParams.get('user')];
  const port = url.port || (settings.kind === 'MARIADB' ? '3306' : '5432');
  return [settings.kind, url.hostname, port, url.pathname, parameters, user];
}
