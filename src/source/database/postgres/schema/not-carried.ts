/** What belongs to the database and yet is in no script: replication, logins to other servers, settings, owners. */
import type { Inventory } from './schema-object.ts';

const NOT_CARRIED = `
SELECT 'publication ' || p.pubname AS name, 'replication is set up by hand' AS reason FROM pg_catalog.pg_publication p
UNION ALL
SELECT 'subscription ' || s.subname, 'replication is set up by hand' FROM pg_catalog.pg_subscription s
 WHERE s.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subname', 'SELECT')
UNION ALL
SELECT 'user mapping for ' || coalesce(nullif(m.usename, ''), 'public') || ' on server ' || m.srvname,
       'holds the password of another server' FROM pg_catalog.pg_user_mappings m
UNION ALL
SELECT CASE s.setrole WHEN 0 THEN 'settings of the database' ELSE 'settings of the role ' || pg_catalog.pg_get_userbyid(s.setrole) || ' in the database' END,
       pg_catalog.string_agg(pg_catalog.split_part(c.setting, '=', 1), ', ' ORDER BY c.setting COLLATE "C") || ': set by ALTER DATABASE or ALTER ROLE, and belong to the server, which a restore leaves as it is'
  FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS c(setting)
 WHERE s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
 GROUP BY s.setrole
UNION ALL
SELECT 'security labels', 'labels are for modules of the server' FROM pg_catalog.pg_seclabel HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT 'owner ' || pg_catalog.pg_get_userbyid(o.owner), pg_catalog.count(*) || ' objects belong to this role; what a restore makes belongs to the role that restores'
  FROM (SELECT c.relowner AS owner, c.relnamespace AS namespace FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.oid >= 16384
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT p.proowner, p.pronamespace FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))) AS o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
 WHERE n.nspname !~ '^pg_' AND pg_catalog.pg_get_userbyid(o.owner) <> current_user
 GROUP BY o.owner`;

/** Names it. */
export async function readNotCarried(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<{ name: string; reason: string }>(
    NOT_CARRIED,
    [],
    inventory.signal,
  );
  for (const { name, reason } of rows) inventory.notCarried.push({ name, reason });
}
