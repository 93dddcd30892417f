/** Keeps triggers and forced row security quiet during a restore, and puts both back exactly as they were. */
import type { TableName } from '../../source.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { PostgresSession } from './session.ts';

interface TriggerState {
  readonly table: TableName;
  readonly name: string;
  /** O: fires normally, R: only on a replica, A: always, D: disabled. */
  readonly enabled: string;
}

/** What was switched off. */
export interface Silenced {
  readonly triggers: readonly TriggerState[];
  readonly forcedRowSecurity: readonly TableName[];
}

const TRIGGERS = `
SELECT n.nspname::text AS schema, c.relname::text AS table, t.tgname::text AS name, t.tgenabled::text AS enabled
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgrelid = ANY($1::text[]::oid[])
 ORDER BY t.oid`;

const FORCED = `
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relforcerowsecurity AND c.oid = ANY($1::text[]::oid[])`;

/** Switches off the user's triggers and FORCE ROW LEVEL SECURITY of the tables with the given catalog ids. */
export async function silence(
  session: PostgresSession,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<Silenced> {
  const rows = await session.query<{ schema: string; table: string; name: string; enabled: string }>(
    TRIGGERS,
    [oids],
    signal,
  );
  const forcedRowSecurity = await session.query<{ schema: string; name: string }>(FORCED, [oids], signal);
  const triggers = rows.map((row) => ({
    table: { schema: row.schema, name: row.table },
    name: row.name,
    enabled: row.enabled,
  }));
  for (const trigger of triggers) await alterTrigger(session, trigger, 'DISABLE TRIGGER', signal);
  for (const table of forcedRowSecurity) {
    await session.execute(`ALTER TABLE ${quoteTable(table)} NO FORCE ROW LEVEL SECURITY`, signal);
  }
  return { triggers, forcedRowSecurity };
}

/** Puts every trigger back into its former state. */
export async function restoreTriggers(
  session: PostgresSession,
  silenced: Silenced,
  signal: AbortSignal,
): Promise<void> {
  for (const trigger of silenced.triggers) {
    const verb =
      trigger.enabled === 'A'
        ? 'ENABLE ALWAYS TRIGGER'
        : trigger.enabled === 'R'
          ? 'ENABLE REPLICA TRIGGER'
          : 'ENABLE TRIGGER';
    await alterTrigger(session, trigger, verb, signal);
  }
}

/** Forces row security again, which may keep the session itself from reading the tables afterwards. */
export async function restoreForcedRowSecurity(
  session: PostgresSession,
  silenced: Silenced,
  signal: AbortSignal,
): Promise<void> {
  for (const table of silenced.forcedRowSecurity) {
    await session.execute(`ALTER TABLE ${quoteTable(table)} FORCE ROW LEVEL SECURITY`, signal);
  }
}

async function alterTrigger(
  session: PostgresSession,
  trigger: TriggerState,
  verb: string,
  signal: AbortSignal,
): Promise<void> {
  await session.execute(
    `ALTER TABLE ${quoteTable(trigger.table)} ${verb} ${quoteName(trigger.name)}`,
    signal,
  );
}
