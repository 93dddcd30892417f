/** Policies of row-level security. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, making, RANKS } from './schema-object.ts';

interface PolicyRow {
  address: string;
  label: string;
  name: string;
  table: string;
  tableAddress: string;
  permissive: boolean;
  command: string;
  roles: string;
  using: string | null;
  check: string | null;
}

const POLICIES = `
SELECT 'pg_policy/' || p.oid AS address, ${labelName('p.polname')} || ' ON ' || ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(p.polname) AS name,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS table, 'pg_class/' || c.oid AS "tableAddress",
       p.polpermissive AS permissive, p.polcmd::text AS command,
       (SELECT pg_catalog.string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', '
                                     ORDER BY pg_catalog.pg_get_userbyid(r) COLLATE "C")
          FROM pg_catalog.unnest(p.polroles) AS r) AS roles,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using, pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${USER_SCHEMA}`;

const COMMANDS: Readonly<Record<string, string>> = { r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE' };

/** Reads policies. The roles they name have to exist where they are made. */
export async function readPolicies(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<PolicyRow>(POLICIES, [], inventory.signal)) {
    if (inventory.ofExtension.has(row.tableAddress)) continue;
    const command = COMMANDS[row.command];
    const sql = [
      `CREATE POLICY ${row.name} ON ${row.table}`,
      row.permissive ? '' : ' AS RESTRICTIVE',
      command === undefined ? '' : ` FOR ${command}`,
      row.roles === 'PUBLIC' ? '' : ` TO ${row.roles}`,
      row.using === null ? '' : ` USING (${row.using})`,
      row.check === null ? '' : ` WITH CHECK (${row.check})`,
    ].join('');
    enter(
      inventory,
      {
        address: row.address,
        label: `POLICY ${row.label}`,
        rank: RANKS.POLICY,
        phase: 'AFTER',
        statements: [making(sql)],
        drop: `DROP POLICY IF EXISTS ${row.name} ON ${row.table}`,
        partOf: row.tableAddress,
      },
      `POLICY ${row.name} ON ${row.table}`,
    );
  }
}
