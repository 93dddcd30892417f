/**
 * Finds out before anything is changed whether the user may make what has to be made after the swap: by then it
 * would be too late.
 */
import type { SchemaStatement } from '../../schema-script.ts';
import { note } from './journal.ts';
import { quoteName, type RestoreNames } from './names.ts';
import { statementRefusal } from './refusal.ts';
import { dropOf } from './restore-tables.ts';
import type { MariadbSession } from './session.ts';

const NAME = '`(?:[^`]|``)+`';
const DEFINER = new RegExp(`DEFINER=(?:${NAME}@${NAME}|${NAME}) `, 's');

/** Something of a kind that does nothing, with the definer of the real one. */
const HARMLESS: Readonly<Record<string, (definer: string, name: string, table: string) => string>> = {
  TRIGGER: (definer, name, table) =>
    `CREATE ${definer}TRIGGER ${name} BEFORE DELETE ON ${table} FOR EACH ROW SET @holdfast = 1`,
  VIEW: (definer, name) => `CREATE ${definer}VIEW ${name} AS SELECT 1 AS one`,
  FUNCTION: (definer, name) => `CREATE ${definer}FUNCTION ${name}() RETURNS INT DETERMINISTIC RETURN 1`,
  PROCEDURE: (definer, name) => `CREATE ${definer}PROCEDURE ${name}() SET @holdfast = 1`,
  EVENT: (definer, name) =>
    `CREATE ${definer}EVENT ${name} ON SCHEDULE EVERY 1 YEAR STARTS '2035-01-01 00:00:00' DISABLE DO SET @holdfast = 1`,
};

/**
 * Makes and drops one harmless object for each kind and definer that `statements` will need.
 * @throws HoldfastError INVALID_INPUT, naming the object and the privilege, when the user may not.
 */
export async function probe(
  session: MariadbSession,
  names: RestoreNames,
  statements: readonly SchemaStatement[],
  signal: AbortSignal,
): Promise<void> {
  const tried = new Set<string>();
  for (const { object, sql } of statements) {
    const [kind = ''] = object.split(' ', 1);
    const make = HARMLESS[kind];
    const definer = DEFINER.exec(sql.slice(0, 1_000))?.[0] ?? '';
    const id = JSON.stringify([kind, definer]);
    if (make === undefined || tried.has(id)) continue;
    tried.add(id);
    const name = `${names.prefix}probe`;
    const drop = dropOf(`${kind} ${name}`);
    if (drop === undefined) continue;
    await note(session, names, [{ kind: 'UNDO', sql: drop }], signal);
    try {
      await session.execute(make(definer, quoteName(name), quoteName(names.journal)), signal);
    } catch (error) {
      throw statementRefusal(error, { restoring: true, object });
    }
    await session.execute(drop, signal);
  }
}
