/** Writing names and values into SQL text, and the names of what a restore makes beside the application's tables. */
import { createHash } from 'node:crypto';
import type { TableName } from '../../source.ts';

/** A quoted identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A quoted name; tables of the database itself have no schema, those of others (in foreign keys) have. */
export function quoteTable(table: TableName): string {
  return table.schema === null
    ? quoteName(table.name)
    : `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

/** A string literal; sessions of ours never run under NO_BACKSLASH_ESCAPES. */
export function quoteText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\0', '\\0');
  return `'${escaped}'`;
}

/** How people read a table's name in messages. */
export function tableLabel(table: TableName): string {
  return table.schema === null ? table.name : `${table.schema}.${table.name}`;
}

/** A key for maps. */
export function tableKey(table: TableName): string {
  return JSON.stringify([table.schema, table.name]);
}

/** Begins the name of everything that a restore makes; such tables are no part of a database's description. */
const OWN = /^holdfast_[0-9a-f]{12}_/;

/** Whether a table, sequence or trigger is one that a restore made beside the application's. */
export function isOwnName(name: string): boolean {
  return OWN.test(name);
}

/** Names the things that belong to one restore; the same id always gives the same names. */
export class RestoreNames {
  readonly prefix: string;
  readonly #hash: string;

  constructor(restoreId: string, database: string) {
    this.#hash = createHash('sha256')
      .update(JSON.stringify([database, restoreId]))
      .digest('hex')
      .slice(0, 12);
    this.prefix = `holdfast_${this.#hash}_`;
  }

  /** The table that says what is to be done after the swap, while the swap has not happened. */
  get journal(): string {
    return `${this.prefix}journal`;
  }

  /** The same table once the swap has happened: the swap itself renames it. */
  get swapped(): string {
    return `${this.prefix}swapped`;
  }

  /** The new table number `n` before the swap. */
  fresh(n: number): string {
    return `${this.prefix}n${n}`;
  }

  /** An empty table on which keys are tried; goes where the new ones go. */
  get trial(): string {
    return `${this.prefix}ntrial`;
  }

  /** The old table number `n` after the swap. */
  old(n: number): string {
    return `${this.prefix}o${n}`;
  }

  /** The trigger that refuses one kind of write to table number `n`. */
  guard(n: number, event: string): string {
    return `${this.prefix}g${n}_${event.toLowerCase()}`;
  }

  /** The named lock that a session of the restore holds as long as it lives. */
  lock(role: string): string {
    return `holdfast.${this.#hash}.${role}`;
  }
}
