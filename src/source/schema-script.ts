/** The structure of a database as statements, and what a restore does with them. */
import type { LeftOut } from './left-out.ts';

/** One statement of a {@link SchemaScript}. */
export interface SchemaStatement {
  /** What it makes or changes, as `KIND name`, e.g. `TABLE public.film`; unique in its script with its place in it. */
  readonly object: string;
  /** Ends without `;`. */
  readonly sql: string;
  /** True when it holds `;` that a client's line splitter would take for its end (bodies of triggers and routines). */
  readonly compound?: true;
}

/**
 * The DDL that makes the structure of a database again. The same structure gives the same script, so two scripts
 * tell whether a structure came back.
 */
export interface SchemaScript {
  /** Runs in an empty database, before the rows: schemas, types, functions, sequences, tables. */
  readonly before: readonly SchemaStatement[];
  /** Runs after the rows: indexes, keys, views, triggers, policies, comments. */
  readonly after: readonly SchemaStatement[];
  /** What the script cannot make again, and why; becomes a warning and stands on the manifest. */
  readonly notCarried: readonly LeftOut[];
}

/**
 * How a restore makes the structure before it loads rows.
 *
 * CREATE: the target is empty, the script runs as it is; rolling back empties it again.
 * REPLACE: what the script makes is dropped where it stands and made again; a table whose rows are not in the request
 * stays as it stands, and is made, empty, where it is missing. What the script does not know stays untouched, foreign keys and views of unknown tables to replaced ones included (put back as they were).
 * SCHEMA_MISMATCH, naming the object and before anything is changed for good, when that cannot be.
 */
export interface SchemaChange {
  readonly mode: 'CREATE' | 'REPLACE';
  readonly script: SchemaScript;
}
