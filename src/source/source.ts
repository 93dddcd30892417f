/**
 * The contract between the engine and a database that is backed up; file trees have theirs in file-trees.ts. Databases
 * implement {@link Database}; every implementation passes the suite in test/conformance/database.ts.
 *
 * Rows travel as *row lines*: UTF-8 NDJSON, one JSON object a row in column order, `\n` after each row and
 * nowhere else. Chunks may end anywhere, also inside a row. docs/bundle-format.md says how each kind of
 * database writes a value.
 */
import type { LeftOut } from './left-out.ts';
import type { SchemaChange, SchemaScript } from './schema-script.ts';

/** The kinds of database that exist. MARIADB is MySQL too: one code, which asks the server what it is. */
export type DatabaseKind = 'SQLITE' | 'POSTGRESQL' | 'MARIADB';

/** Names one table. `schema` is null where the kind has none (SQLite) . */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

/** A column as the database's own catalog describes it. */
export interface Column {
  readonly name: string;
  /** The type as the database prints it, e.g. `character varying(40)`. */
  readonly type: string;
  readonly nullable: boolean;
  /** True when the database fills it if a row does not name it (default, identity, auto-increment). */
  readonly hasDefault: boolean;
  /** Generated columns are not exported; the database computes them again. */
  readonly generated: boolean;
}

/** A foreign key of the table that holds it. */
export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: TableName;
  readonly referencedColumns: readonly string[];
  /** True when a row may be inserted before the row it points to, within one transaction. */
  readonly deferrable: boolean;
}

/** One table as it stands in the live database. */
export interface Table extends TableName {
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Rows as the database's own statistics estimate them; exact where that is cheap. */
  readonly rowEstimate: number;
  /** Why its rows cannot be read by this user (a privilege it lacks); absent when they can. */
  readonly unreadable?: string;
  /**
   * There in every database of its kind (PostgreSQL's large objects): while it holds no rows it is no part of a
   * backup, and a restore finds it in every target. Its estimate is exact.
   */
  readonly implicit?: true;
}

/** A sequence (PostgreSQL) or AUTOINCREMENT counter (SQLite: `name` is the table's). */
export interface SequenceState extends TableName {
  /** Decimal digits, so that 64 bits survive JSON. */
  readonly lastValue: string;
  /** False when `lastValue` itself is the next value to be given out. */
  readonly isCalled: boolean;
}

/** The structure of a database at one moment. */
export interface DatabaseDescription {
  readonly kind: DatabaseKind;
  readonly serverVersion: string;
  readonly databaseName: string;
  /** Every ordinary table that can be backed up, in no particular order. */
  readonly tables: readonly Table[];
  /** Views, foreign tables, virtual tables, … that hold no rows of their own or cannot be carried. */
  readonly leftOut: readonly LeftOut[];
  /** Names of applied migrations when the application keeps them in a well-known table, oldest first. */
  readonly appliedMigrations: readonly string[];
  /** True when nothing of an application is there, so that a schema can be created without meeting anything. */
  readonly empty: boolean;
}

/** One consistent view of a database. Close it as soon as the rows are read: it holds back vacuum. */
export interface DatabaseSnapshot {
  /** The structure as this snapshot sees it. */
  readonly description: DatabaseDescription;
  /** When the snapshot was taken, by the clock of this host. */
  readonly instant: Date;
  /**
   * The row lines of one table, without generated columns. A chunk may be overwritten once the next is asked for.
   * A table that vanished meanwhile is SCHEMA_MISMATCH, a lost connection SOURCE_UNREACHABLE.
   */
  readRows(table: Table, signal: AbortSignal): AsyncIterable<Buffer>;
  /** The sequences and counters that belong to `tables`, or to none. */
  readSequences(tables: readonly TableName[], signal: AbortSignal): Promise<readonly SequenceState[]>;
  /**
   * The structure as DDL: of every table, also of those whose rows are not read, and of what belongs to them.
   * Holds it in memory: it grows with the number of objects, not with the rows.
   */
  readSchema(signal: AbortSignal): Promise<SchemaScript>;
  /** Idempotent; never throws. */
  close(): Promise<void>;
}

/** Columns that are set to NULL while a table is loaded (runtime references that mean nothing after a restore). */
export interface ClearedColumns {
  readonly table: TableName;
  readonly columns: readonly string[];
}

/** A table to be replaced, and the columns its row lines hold. */
export interface TableToRestore extends TableName {
  readonly columns: readonly string[];
}

/** What a restore into a database is to do. */
export interface DatabaseRestoreRequest {
  /** Make the structure too; without it the tables are there and keep theirs. */
  readonly schema?: SchemaChange;
  /** Parents first. Only these tables are touched. */
  readonly tables: readonly TableToRestore[];
  readonly clearedColumns: readonly ClearedColumns[];
  /** How long a statement waits for a lock of the application, milliseconds. */
  readonly lockTimeoutMs: number;
  /** End the application's sessions first. Without it, sessions that hold locks make the restore SOURCE_BUSY. */
  readonly endSessions: boolean;
  /** Unique to the restore; used to find out after a crash what became of it. */
  readonly restoreId: string;
}

/** Names the transaction of a restore for {@link Database.outcome}; JSON, kept in the journal. */
export type RestoreTicket = Readonly<Record<string, string | number | null>>;

/**
 * One transaction that replaces tables. Calls come in the order of the methods. Nothing is visible to others
 * before {@link commit}; {@link rollback}, a lost connection or a dead process leave the database as it was.
 */
export interface DatabaseRestore {
  /** How many calls of {@link load} may run at once, for different tables; at least 1. */
  readonly concurrentLoads: number;
  /**
   * Empties the tables, children first, with triggers silent and obstructing foreign keys set aside. With a
   * {@link SchemaChange} the first half of its script runs here and the second in {@link finish}.
   */
  clear(signal: AbortSignal): Promise<void>;
  /**
   * Loads one table from row lines. Every row lands or the call fails with the table and, where the database
   * tells it, the row. Returns the number of rows the database took. A chunk of `rows` belongs to the database once it
   * is yielded, with the memory it lies in, which may be given back: whoever yields it does not look at it again.
   */
  load(table: TableToRestore, rows: AsyncIterable<Buffer>, signal: AbortSignal): Promise<number>;
  /** Sets sequences, brings back keys and triggers, checks every foreign key of the tables. */
  finish(sequences: readonly SequenceState[], signal: AbortSignal): Promise<void>;
  /** Reads a table back inside the transaction, in the form {@link DatabaseSnapshot.readRows} gives. */
  readRows(table: TableToRestore, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Call after {@link finish}, before the journal is written. */
  ticket(): Promise<RestoreTicket>;
  /**
   * Makes it so. When the answer is lost (connection broke during COMMIT) the error is SOURCE_UNREACHABLE and
   * {@link Database.outcome} decides.
   */
  commit(): Promise<void>;
  /** What {@link commit} could not bring back although the restore took effect, for people; known after it. */
  readonly warnings?: readonly string[];
  /** Leaves everything as it was. Idempotent; never throws; does nothing after commit. */
  rollback(): Promise<void>;
}

/** A connection of the application (or anybody else) to the database. */
export interface DatabaseSession {
  readonly application: string;
  readonly user: string;
  readonly state: string;
  readonly since: Date | null;
}

/** How a server encodes and sorts the text of a database, in its own words; what made one makes another alike. */
export type TextSettings = Readonly<Record<string, string>>;

/** A database that was made for one drill. */
export interface ScratchDatabase {
  readonly database: Database;
  /** What is not as it was asked for, for people (a locale that the server does not know). */
  readonly warnings: readonly string[];
}

/**
 * Makes and drops databases on the server of a {@link Database} (SQLite: files beside it), for drills. Names begin
 * with `holdfast_drill_`; anything else is refused, so that nothing is ever dropped that a drill did not make.
 */
export interface ScratchGround {
  /** INVALID_INPUT, saying what to grant, when this user may not make databases; as far as that can be told. */
  check(signal: AbortSignal): Promise<void>;
  /** Those of the database itself. */
  textSettings(signal: AbortSignal): Promise<TextSettings>;
  /**
   * Makes an empty database, with text like `like` where the server allows. A call that fails leaves nothing; one
   * that ends with this process may leave what {@link drop} removes. INVALID_INPUT when the name is taken.
   */
  create(name: string, like: TextSettings | undefined, signal: AbortSignal): Promise<ScratchDatabase>;
  /** Drops it, and whoever is in it. Idempotent. */
  drop(name: string, signal: AbortSignal): Promise<void>;
}

/** A database that can be backed up and restored. Holds no connection between calls. */
export interface Database {
  readonly kind: DatabaseKind;
  /** Reads the structure; changes nothing. SOURCE_UNREACHABLE when it cannot (never with the password in it). */
  describe(signal: AbortSignal): Promise<DatabaseDescription>;
  /** Exact row counts, for the restore plan. */
  countRows(tables: readonly TableName[], signal: AbortSignal): Promise<readonly number[]>;
  /** Other sessions open now; undefined where the kind cannot know (SQLite). */
  sessions(signal: AbortSignal): Promise<readonly DatabaseSession[] | undefined>;
  openSnapshot(signal: AbortSignal): Promise<DatabaseSnapshot>;
  /** Begins the transaction. SOURCE_BUSY when locks cannot be had within `lockTimeoutMs`. */
  beginRestore(request: DatabaseRestoreRequest, signal: AbortSignal): Promise<DatabaseRestore>;
  /**
   * What became of an interrupted restore. Ends the transaction first if it is still open, so the answer is final.
   * SOURCE_UNREACHABLE when it cannot be known now.
   */
  outcome(ticket: RestoreTicket, signal: AbortSignal): Promise<'COMMITTED' | 'ROLLED_BACK'>;
  /**
   * Removes what a restore left that died before its ticket was in the journal (a shadow schema, say), so that the
   * target is as it was. Nothing where an open transaction is all there ever was. Idempotent.
   */
  sweep(restoreId: string, signal: AbortSignal): Promise<void>;
  /** Removes what {@link outcome} needed, once the journal is gone. Idempotent. */
  forget(ticket: RestoreTicket, signal: AbortSignal): Promise<void>;
  /** Where drills make their databases. */
  readonly scratch: ScratchGround;
}
