/** The structure part of a restore: makes what the schema of the bundle says, and leaves alone what it does not know. */
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaChange } from '../../../schema-script.ts';
import { setHeaderValue } from './header-values.ts';
import { dropObject, makeObject, makeVirtualTable } from './make-object.ts';
import type { Connection } from './open-database.ts';
import { isVirtual, type SchemaObject, schemaObjects, stands } from './schema-objects.ts';
import { type ParsedSchema, parseSchema } from './schema-statements.ts';
import { foldName } from './sql-names.ts';

/** Makes a schema in two halves, around the rows. */
export class SchemaReplacement {
  readonly #db: Connection;
  readonly #mode: SchemaChange['mode'];
  readonly #schema: ParsedSchema;
  /** Folded names of the tables whose rows are restored. */
  readonly #restored: ReadonlySet<string>;
  /** Folded names of tables and views of the schema that stay as they stand: their rows would not come back. */
  readonly #untouched = new Set<string>();

  /**
   * Call before the transaction begins: some settings of a new file are taken only then.
   *
   * @param restored - tables whose rows will be loaded
   * @throws HoldfastError INVALID_MANIFEST for statements that are none of a schema
   */
  constructor(db: Connection, { mode, script }: SchemaChange, restored: readonly string[]) {
    this.#db = db;
    this.#mode = mode;
    this.#schema = parseSchema(script);
    this.#restored = new Set(restored.map(foldName));
    if (mode === 'CREATE')
      for (const { name, value } of this.#schema.fileSettings) db.pragma(`${name} = ${value}`);
  }

  /**
   * Makes the tables. Those that are the same already stay, with their rows and without indexes and triggers.
   *
   * @returns the tables that were made
   * @throws HoldfastError SCHEMA_MISMATCH when something unknown stands in the way
   */
  makeTables(): readonly string[] {
    const standing = new Standing(this.#db);
    if (this.#mode === 'CREATE' && standing.size > 0) throw notEmpty();
    const { tables, virtualTables, rest } = this.#schema;
    const views = rest.filter((object) => object.type === 'view');
    const obsolete: SchemaObject[] = [];
    for (const object of [...tables, ...virtualTables, ...views]) {
      const found = standing.find(object);
      if (found === undefined || found.type === 'index' || found.sql === object.sql) continue;
      if (object.type === 'view' && found.type === 'table') throw inTheWay(object, found);
      if (found.type === 'table' && this.#losesRows(object, standing))
        this.#untouched.add(foldName(object.name));
      else obsolete.push(found);
    }
    this.#dropBelongings(standing, [...tables, ...views]);
    // Virtual ones first: they take the tables with their content along.
    for (const object of obsolete.sort((a, b) => Number(isVirtual(b)) - Number(isVirtual(a)))) {
      if (stands(this.#db, object)) dropObject(this.#db, object);
    }
    return this.#make(tables);
  }

  /** Makes everything else, in the order of the script. */
  finish(): void {
    this.#make(this.#schema.virtualTables);
    this.#make(this.#schema.rest);
    for (const { name, value } of this.#schema.headerValues) {
      setHeaderValue(this.#db, { schema: null, name, lastValue: value, isCalled: true });
    }
  }

  #make(objects: readonly SchemaObject[]): string[] {
    const standing = new Standing(this.#db);
    const made: string[] = [];
    for (const object of objects) {
      if (this.#untouched.has(foldName(object.table))) continue;
      const found = standing.find(object);
      if (found !== undefined) {
        if (found.sql === object.sql && found.type === object.type) continue;
        throw inTheWay(object, found);
      }
      if (isVirtual(object)) makeVirtualTable(this.#db, object);
      else makeObject(this.#db, object);
      made.push(object.name);
    }
    return made;
  }

  /** True when a table, or the tables of a virtual one, would go without their rows coming back. */
  #losesRows(object: SchemaObject, standing: Standing): boolean {
    if (!isVirtual(object)) return !this.#restored.has(foldName(object.name));
    const prefix = `${foldName(object.name)}_`;
    return this.#schema.tables.some((table) => {
      const name = foldName(table.name);
      return name.startsWith(prefix) && standing.find(table) !== undefined && !this.#restored.has(name);
    });
  }

  /** Indexes and triggers are part of their table: those it had come back with it, later ones go. */
  #dropBelongings(standing: Standing, owners: readonly SchemaObject[]): void {
    const names = new Set<string>();
    for (const owner of owners) {
      const name = foldName(owner.name);
      const isRestored = owner.type === 'view' || this.#restored.has(name);
      if (isRestored && !this.#untouched.has(name)) names.add(name);
      // Neither loaded nor different: it keeps its rows, and what belongs to it.
      else if (standing.find(owner) !== undefined) this.#untouched.add(name);
    }
    for (const object of standing.all()) {
      const belongs = object.type === 'index' || object.type === 'trigger';
      if (belongs && names.has(foldName(object.table))) dropObject(this.#db, object);
    }
  }
}

/** What is in the database, by name. Triggers have names of their own; all else shares one space. */
class Standing {
  readonly #objects = new Map<string, SchemaObject>();

  constructor(db: Connection) {
    for (const object of schemaObjects(db)) this.#objects.set(keyOf(object), object);
  }

  get size(): number {
    return this.#objects.size;
  }

  all(): Iterable<SchemaObject> {
    return this.#objects.values();
  }

  find(object: SchemaObject): SchemaObject | undefined {
    return this.#objects.get(keyOf(object));
  }
}

function keyOf({ type, name }: SchemaObject): string {
  return `${type === 'trigger' ? 'trigger' : ''} ${foldName(name)}`;
}

function notEmpty(): HoldfastError {
  return new HoldfastError(
    'SCHEMA_MISMATCH',
    'The database is not empty: something was made in it meanwhile.',
    {
      hint: 'Look at the plan again, and decide how the structure that is there is to be handled.',
    },
  );
}

function inTheWay(object: SchemaObject, found: SchemaObject): HoldfastError {
  const what = `The ${object.type} ${JSON.stringify(object.name)} cannot be made`;
  const where = found.table === found.name ? '' : ` of ${JSON.stringify(found.table)}`;
  return new HoldfastError(
    'SCHEMA_MISMATCH',
    `${what}: the database has a ${found.type} of that name${where}.`,
    {
      hint: 'The bundle does not know it, so it stays. Rename or drop it, then try again.',
    },
  );
}
