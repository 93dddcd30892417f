/** What the generator finds in the catalog: objects, how each is made and removed, and what each needs. */
import type { LeftOut } from '../../../left-out.ts';
import type { PostgresSession } from '../session.ts';

/** One object of the catalog, as `class/oid`, e.g. `pg_class/16384`. */
export type Address = string;

/** A statement that makes an object or a part of it. */
export interface Making {
  readonly sql: string;
  readonly compound?: true;
}

/**
 * The places of objects that are free to stand anywhere; dependencies go before it. Names read like the kinds in
 * {@link SchemaObject.label}.
 */
export const RANKS = {
  SETTING: 0,
  SCHEMA: 1,
  EXTENSION: 2,
  COLLATION: 3,
  TYPE: 4,
  DOMAIN: 5,
  FUNCTION: 6,
  OPERATOR: 7,
  TEXT_SEARCH: 8,
  FOREIGN_SERVER: 9,
  SEQUENCE: 10,
  TABLE: 11,
  OWNED_BY: 12,
  PARTITION: 13,
  COLUMN: 14,
  KEY: 20,
  INDEX: 21,
  INDEX_PARTITION: 22,
  TABLE_MARK: 23,
  STATISTICS: 24,
  CHECK: 25,
  VIEW: 26,
  FOREIGN_KEY: 28,
  RULE: 29,
  TRIGGER: 30,
  POLICY: 31,
  ROW_SECURITY: 32,
  COMMENT: 40,
  PRIVILEGES: 41,
  DEFAULT_PRIVILEGES: 42,
  EVENT_TRIGGER: 43,
} as const;

/** Something that is made by statements of its own. */
export interface SchemaObject {
  readonly address: Address;
  /** `KIND name`, unique in a database. */
  readonly label: string;
  readonly rank: number;
  /** AFTER: the rows come first, unless something that comes before them needs it. */
  readonly phase: 'BEFORE' | 'AFTER';
  readonly statements: readonly Making[];
  /** Removes it; undefined when it cannot be removed, empty when it goes with what it is part of. */
  readonly drop: string | undefined;
  /** What it belongs to and goes with: the table of an index, the object of a comment. */
  readonly partOf?: Address;
  /** What has to be there first, besides what pg_depend tells. */
  readonly needs?: readonly Address[];
  /** Rows stand in it: it is a table, of this name. */
  readonly table?: { readonly schema: string; readonly name: string; readonly partitioned: boolean };
  /** Why it cannot be made again. */
  readonly impossible?: string;
  /** Further rows of the catalog that it stands for. */
  readonly standsFor?: readonly Address[];
  /** The same in several objects, which need less of each other; for circles. */
  readonly loosened?: () => readonly SchemaObject[];
}

/** How `COMMENT ON` names something. */
export interface CommentTarget {
  readonly text: string;
  /** The object it is, or is part of. */
  readonly of: Address;
  /** The address of a part that stands in its object's statement. */
  readonly address: Address;
}

/** A row of pg_depend. */
export interface Dependency {
  readonly from: Address;
  readonly to: Address;
  readonly kind: string;
  /** Attribute number at `to`, 0 for the whole. */
  readonly toColumn: number;
  readonly fromColumn: number;
}

/** What the readers of the catalog work with and fill. */
export interface Inventory {
  readonly session: PostgresSession;
  readonly signal: AbortSignal;
  readonly objects: Map<Address, SchemaObject>;
  /** By address, for columns `class/oid/number`. */
  readonly targets: Map<Address, CommentTarget>;
  readonly notCarried: LeftOut[];
  readonly dependencies: readonly Dependency[];
  /** What extensions brought, with the extension. */
  readonly ofExtension: ReadonlyMap<Address, Address>;
  /** Parts that make no statement of their own: they stand for another object. */
  readonly aliases: Map<Address, Address>;
}

/** Enters an object unless an extension brought it. True when it was entered. */
export function enter(inventory: Inventory, object: SchemaObject, comment?: string): boolean {
  if (inventory.ofExtension.has(object.address)) return false;
  inventory.objects.set(object.address, object);
  if (comment !== undefined) {
    const { address } = object;
    inventory.targets.set(address, { text: comment, of: address, address });
  }
  return true;
}

/** The statement with the mark that it must not be cut at its semicolons. */
export function making(sql: string): Making {
  return sql.includes(';') ? { sql, compound: true } : { sql };
}

/** Without the `;` (and space) that pg_get_…def puts at the end. */
export function withoutSemicolon(sql: string): string {
  return sql.replace(/;\s*$/, '');
}
