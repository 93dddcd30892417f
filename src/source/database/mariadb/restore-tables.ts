/** Works out which tables a restore makes, how, and what has to be done once they are in their places. */
import { HoldfastError } from '../../../errors.ts';
import type { SchemaScript, SchemaStatement } from '../../schema-script.ts';
import type { DatabaseRestoreRequest } from '../../source.ts';
import { type KeyDefinition, parseForeignKey, splitAdditions } from './create-statement.ts';
import { quoteName } from './names.ts';
import { tableOfTrigger } from './trigger-statement.ts';

/** A table to be made beside the one it will replace. */
export interface PlannedTable {
  /** Numbers the names of the new and the old table. */
  readonly n: number;
  readonly name: string;
  /** A table of this name is there now. */
  readonly exists: boolean;
  readonly create: string;
  /** `ADD KEY …, ADD …`; undefined when there are none. */
  readonly indexes: string | undefined;
  readonly foreignKeys: readonly KeyDefinition[];
}

/** A table that stays, and is tied to replaced ones by foreign keys. */
export interface Neighbour {
  readonly n: number;
  readonly name: string;
  /** Its keys to tables that are replaced; none when it is only pointed to. */
  readonly foreignKeys: readonly KeyDefinition[];
  /** `ADD KEY …` for each index that the server may have made for one of those. */
  readonly indexes: readonly string[];
}

/** Everything a restore will do. */
export interface RestoreTables {
  readonly planned: readonly PlannedTable[];
  readonly neighbours: readonly Neighbour[];
  /** Statements that run before the tables are made: sequences that are missing. */
  readonly prelude: readonly SchemaStatement[];
  /** Statements that make sequences again which are there, but otherwise than the script has them. */
  readonly sequences: readonly SchemaStatement[];
  /** Statements that run after the swap, apart from foreign keys: routines, views, triggers, events. */
  readonly epilogue: readonly SchemaStatement[];
  /** Views that work now and are not made again: they may read what a replaced table does not have any more. */
  readonly otherViews: readonly string[];
}

/**
 * Plans a restore.
 * @param live The script of the database as it stands.
 * @param triggers The statements that make the triggers of the requested tables again.
 * @throws HoldfastError SCHEMA_MISMATCH when a table of the request is neither there nor made.
 */
export function planTables(
  request: DatabaseRestoreRequest,
  live: SchemaScript,
  triggers: readonly SchemaStatement[],
): RestoreTables {
  const script = request.schema?.script ?? live;
  const standing = new Set(namesOf(live, 'TABLE'));
  const requested = new Set(request.tables.map((table) => table.name));
  // A table whose rows are not restored stays as it stands; only where it is missing it is made, empty.
  const stays = (name: string) => standing.has(name) && !requested.has(name);
  const wanted =
    request.schema === undefined
      ? [...requested]
      : namesOf(request.schema.script, 'TABLE').filter((name) => !stays(name));
  const creates = byName(script.before, 'TABLE');
  for (const table of request.tables) {
    if (table.schema !== null || !creates.has(table.name)) throw missing(table.name);
  }
  const indexes = byName(script.after, 'INDEX');
  const keys = foreignKeysOf(script);
  const planned = wanted.map(
    (name, n): PlannedTable => ({
      n,
      name,
      exists: standing.has(name),
      create: creates.get(name)?.sql ?? '',
      indexes: indexes.get(name)?.sql.replace(/^ALTER TABLE `(?:[^`]|``)+`\s+/s, ''),
      foreignKeys: keys.get(name) ?? [],
    }),
  );
  const others = ['TABLE', 'INDEX', 'FOREIGN KEY'];
  const isOther = ({ object }: SchemaStatement) => !others.some((kind) => object.startsWith(`${kind} `));
  const made = script.before.filter(isOther);
  const views = new Set(byName(script.after, 'VIEW').keys());
  const found = new Map(live.before.map(({ object, sql }) => [object, sql]));
  return {
    planned,
    neighbours: neighboursOf(planned, foreignKeysOf(live), standing, byName(live.after, 'INDEX')),
    prelude: request.schema === undefined ? [] : made.filter(({ object }) => !found.has(object)),
    sequences: made.filter(({ object, sql }) => found.has(object) && found.get(object) !== sql),
    epilogue:
      request.schema === undefined ? triggers : withoutTriggersOf(stays, script.after).filter(isOther),
    otherViews: [...byName(live.after, 'VIEW').keys()].filter((name) => !views.has(name)),
  };
}

/** The statements without those that make triggers of some tables, and without their settings. */
function withoutTriggersOf(
  stays: (table: string) => boolean,
  statements: readonly SchemaStatement[],
): SchemaStatement[] {
  const left = new Set<string>();
  for (const { object, sql } of statements) {
    const table = object.startsWith('TRIGGER ') ? tableOfTrigger(sql) : undefined;
    if (table !== undefined && stays(table)) left.add(object).add(`SETTING ${object}`);
  }
  return statements.filter(({ object }) => !left.has(object));
}

/** `DROP … IF EXISTS` for what a statement makes; undefined for settings. */
export function dropOf(object: string): string | undefined {
  const match = /^(TRIGGER|VIEW|FUNCTION|PROCEDURE|EVENT|SEQUENCE) (.*)$/s.exec(object);
  return match === null ? undefined : `DROP ${match[1]} IF EXISTS ${quoteName(match[2] ?? '')}`;
}

function neighboursOf(
  planned: readonly PlannedTable[],
  liveKeys: ReadonlyMap<string, readonly KeyDefinition[]>,
  standing: ReadonlySet<string>,
  liveIndexes: ReadonlyMap<string, SchemaStatement>,
): Neighbour[] {
  const replaced = new Set(planned.map((table) => table.name));
  const neighbours = new Map<string, KeyDefinition[]>();
  for (const [name, keys] of liveKeys) {
    if (replaced.has(name)) continue;
    const pointing = keys.filter((key) => key.schema === null && replaced.has(key.table));
    if (pointing.length > 0) neighbours.set(name, pointing);
  }
  for (const { foreignKeys } of planned) {
    for (const key of foreignKeys) {
      const outside = key.schema === null && !replaced.has(key.table);
      if (!outside) continue;
      if (!standing.has(key.table)) {
        throw new HoldfastError(
          'SCHEMA_MISMATCH',
          `Foreign key ${key.name} points to table ${key.table}, which is neither there nor restored.`,
          { hint: 'Restore that table too.' },
        );
      }
      if (!neighbours.has(key.table)) neighbours.set(key.table, []);
    }
  }
  return [...neighbours].map(([name, foreignKeys], n) => ({
    n: planned.length + n,
    name,
    foreignKeys,
    indexes:
      foreignKeys.length === 0
        ? []
        : splitAdditions(liveIndexes.get(name)?.sql ?? '').filter((index) => index.startsWith('ADD KEY ')),
  }));
}

function foreignKeysOf(script: SchemaScript): ReadonlyMap<string, KeyDefinition[]> {
  const keys = new Map<string, KeyDefinition[]>();
  for (const { object, sql } of script.after) {
    if (!object.startsWith('FOREIGN KEY ')) continue;
    const key = parseForeignKey(sql.replace(/^ALTER TABLE `(?:[^`]|``)+` ADD /s, ''));
    if (key === undefined)
      throw new HoldfastError('SCHEMA_MISMATCH', `The statement of ${object} is malformed.`);
    const name = object.slice('FOREIGN KEY '.length);
    keys.set(name, [...(keys.get(name) ?? []), key]);
  }
  return keys;
}

function namesOf(script: SchemaScript, kind: string): string[] {
  return [...byName(script.before, kind).keys()];
}

function byName(statements: readonly SchemaStatement[], kind: string): ReadonlyMap<string, SchemaStatement> {
  return new Map(
    statements
      .filter(({ object }) => object.startsWith(`${kind} `))
      .map((statement) => [statement.object.slice(kind.length + 1), statement]),
  );
}

function missing(name: string): HoldfastError {
  return new HoldfastError('SCHEMA_MISMATCH', `Table ${name} is not in the database.`, {
    hint: 'Bring the structure of the database to that of the backup first, or leave the table out.',
  });
}
