/** Looks for what stands in the way of a structure that is to be put back, before anything is changed. */
import { HoldfastError } from '../../../errors.ts';
import type { SchemaScript } from '../../schema-script.ts';
import { isOwnName, quoteText } from './names.ts';
import type { MariadbSession } from './session.ts';
import { tableOfTrigger } from './trigger-statement.ts';

/** What information_schema calls that which a statement of a script makes; all share one space of names. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  TABLE: ['BASE TABLE', 'SYSTEM VERSIONED'],
  SEQUENCE: ['SEQUENCE'],
  VIEW: ['VIEW', 'SYSTEM VIEW'],
};

/**
 * Refuses to drop what the script does not know, or what is of another kind there.
 * @param replaced Names of the tables that are replaced.
 * @throws HoldfastError SCHEMA_MISMATCH, naming the object.
 */
export async function refuseInTheWay(
  session: MariadbSession,
  script: SchemaScript,
  replaced: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const schema = quoteText(session.database);
  const tables = await session.query(
    `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema}`,
    signal,
  );
  const types = new Map(tables.map(([name, type]) => [name ?? '', type ?? '']));
  const triggers = await session.query(
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${schema}`,
    signal,
  );
  const triggerTables = new Map(triggers.map(([name, table]) => [name ?? '', table ?? '']));
  for (const { object, sql } of [...script.before, ...script.after]) {
    const space = object.indexOf(' ');
    const [kind, name] = [object.slice(0, space), object.slice(space + 1)];
    const type = types.get(name);
    if (type !== undefined && KINDS[kind]?.includes(type) === false) {
      throw inTheWay(`${type === 'BASE TABLE' ? 'table' : type.toLowerCase()} ${name}`, object);
    }
    const table = kind === 'TRIGGER' ? triggerTables.get(name) : undefined;
    if (table === undefined || replaced.has(table) || isOwnName(name)) continue;
    if (tableOfTrigger(sql) !== table) throw inTheWay(`trigger ${name} of table ${table}`, object);
  }
}

function inTheWay(found: string, object: string): HoldfastError {
  return new HoldfastError(
    'SCHEMA_MISMATCH',
    `The ${found} stands where the structure of the backup has the ${object.replace(/^[A-Z]+/, (kind) => kind.toLowerCase())}.`,
    { hint: 'It would be lost, so nothing was changed. Rename or drop it, then try again.' },
  );
}
