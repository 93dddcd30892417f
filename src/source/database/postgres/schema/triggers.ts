/** Triggers and event triggers. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, making, RANKS } from './schema-object.ts';
import { ENABLED } from './views.ts';

interface TriggerRow {
  address: string;
  label: string;
  name: string;
  table: string;
  tableAddress: string;
  definition: string;
  enabled: string;
  parent: string | null;
  parentEnabled: string | null;
}

/** A partition's copy of its parent's trigger has a state of its own. */
const TRIGGERS = `
WITH tied AS (
  SELECT t.*, nullif((pg_catalog.to_jsonb(t) ->> 'tgparentid')::oid, 0) AS parent FROM pg_catalog.pg_trigger t
)
SELECT 'pg_trigger/' || t.oid AS address, ${labelName('t.tgname')} || ' ON ' || ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(t.tgname) AS name,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS table, 'pg_class/' || c.oid AS "tableAddress",
       pg_catalog.pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled,
       'pg_trigger/' || t.parent AS parent, p.tgenabled::text AS "parentEnabled"
  FROM tied t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_trigger p ON p.oid = t.parent
 WHERE (NOT t.tgisinternal OR (t.parent IS NOT NULL AND NOT p.tgisinternal)) AND c.relpersistence <> 't' AND ${USER_SCHEMA}`;

/** Reads triggers; of partitions only those that are not their parent's. */
export async function readTriggers(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<TriggerRow>(TRIGGERS, [], inventory.signal)) {
    if (inventory.ofExtension.has(row.tableAddress)) continue;
    const state = ENABLED[row.enabled] ?? 'ENABLE';
    const alter = `ALTER TABLE ${row.table} ${state} TRIGGER ${row.name}`;
    if (row.parent !== null) {
      inventory.aliases.set(row.address, row.parent);
      if (row.enabled === row.parentEnabled) continue;
      enter(inventory, {
        address: `state/${row.address}`,
        label: `TRIGGER STATE ${row.label}`,
        rank: RANKS.TRIGGER,
        phase: 'AFTER',
        statements: [{ sql: alter }],
        drop: '',
        partOf: row.tableAddress,
        needs: [row.parent, `partition/${row.tableAddress}`],
      });
      continue;
    }
    enter(
      inventory,
      {
        address: row.address,
        label: `TRIGGER ${row.label}`,
        rank: RANKS.TRIGGER,
        phase: 'AFTER',
        statements: [making(row.definition), ...(row.enabled === 'O' ? [] : [{ sql: alter }])],
        drop: `DROP TRIGGER IF EXISTS ${row.name} ON ${row.table}`,
        partOf: row.tableAddress,
      },
      `TRIGGER ${row.name} ON ${row.table}`,
    );
  }
}

interface EventTriggerRow {
  address: string;
  plainName: string;
  name: string;
  event: string;
  tags: string[] | null;
  procedure: string;
  enabled: string;
  superuser: boolean;
}

const EVENT_TRIGGERS = `
SELECT 'pg_event_trigger/' || e.oid AS address, e.evtname::text AS "plainName", pg_catalog.quote_ident(e.evtname) AS name,
       e.evtevent::text AS event, (SELECT pg_catalog.array_agg(pg_catalog.quote_literal(t)) FROM pg_catalog.unnest(e.evttags) AS t) AS tags,
       e.evtfoid::regproc::text AS procedure, e.evtenabled::text AS enabled,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser
  FROM pg_catalog.pg_event_trigger e`;

/** Reads event triggers; only a superuser can make them again. */
export async function readEventTriggers(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<EventTriggerRow>(EVENT_TRIGGERS, [], inventory.signal)) {
    const when = row.tags === null ? '' : `\n    WHEN TAG IN (${row.tags.join(', ')})`;
    const state = ENABLED[row.enabled];
    enter(
      inventory,
      {
        address: row.address,
        label: `EVENT TRIGGER ${row.plainName}`,
        rank: RANKS.EVENT_TRIGGER,
        phase: 'AFTER',
        statements: [
          {
            sql: `CREATE EVENT TRIGGER ${row.name} ON ${row.event}${when}\n    EXECUTE FUNCTION ${row.procedure}()`,
          },
          ...(state === undefined ? [] : [{ sql: `ALTER EVENT TRIGGER ${row.name} ${state}` }]),
        ],
        drop: `DROP EVENT TRIGGER IF EXISTS ${row.name}`,
        ...(row.superuser
          ? {}
          : { impossible: 'only a superuser makes event triggers; the user of the source is none' }),
      },
      `EVENT TRIGGER ${row.name}`,
    );
  }
}
