/** GRANT and REVOKE: how the privileges of an object differ from those it is made with. */
import { quoteText } from '../quote.ts';
import { OWNS_PUBLIC, where } from './conditional.ts';
import { enter, type Inventory, type Making, RANKS } from './schema-object.ts';

/** One privilege in an access list. */
interface Privilege {
  /** The role, quoted; `PUBLIC`; or null for the owner, whoever that will be. */
  readonly grantee: string | null;
  /** The role as a value; null for the owner and PUBLIC. */
  readonly role: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

interface ListRow {
  address: string;
  column: string | null;
  now: Privilege[] | null;
  usual: Privilege[] | null;
}

const EXPLODED = (list: string, owner: string): string => `
  (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
     'grantee', CASE e.grantee WHEN 0 THEN 'PUBLIC' WHEN ${owner} THEN NULL ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END,
     'role', CASE e.grantee WHEN 0 THEN NULL WHEN ${owner} THEN NULL ELSE pg_catalog.pg_get_userbyid(e.grantee)::text END,
     'privilege', e.privilege_type, 'grantable', e.is_grantable)
     ORDER BY pg_catalog.pg_get_userbyid(e.grantee) COLLATE "C", e.privilege_type COLLATE "C")
     FROM pg_catalog.aclexplode(${list}) AS e)`;

/** Access lists that were changed. What initdb gave (to the schema public) counts as usual. */
const LISTS = `
WITH list AS (
  SELECT 'pg_class/' || c.oid AS address, NULL::text AS column, c.relacl AS acl, c.relowner AS owner,
         pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner) AS usual
    FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'pg_class/' || c.oid || '/' || a.attnum, pg_catalog.quote_ident(a.attname), a.attacl, c.relowner, NULL
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
   WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT 'pg_proc/' || p.oid, NULL, p.proacl, p.proowner, pg_catalog.acldefault('f', p.proowner) FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
  UNION ALL
  SELECT 'pg_type/' || t.oid, NULL, t.typacl, t.typowner, pg_catalog.acldefault('T', t.typowner) FROM pg_catalog.pg_type t WHERE t.oid >= 16384
  UNION ALL
  SELECT 'pg_namespace/' || n.oid, NULL, n.nspacl, n.nspowner,
         coalesce((SELECT i.initprivs FROM pg_catalog.pg_init_privs i WHERE i.classoid = 'pg_catalog.pg_namespace'::regclass AND i.objoid = n.oid),
                  pg_catalog.acldefault('n', n.nspowner))
    FROM pg_catalog.pg_namespace n
  UNION ALL
  SELECT 'pg_foreign_server/' || s.oid, NULL, s.srvacl, s.srvowner, pg_catalog.acldefault('S', s.srvowner) FROM pg_catalog.pg_foreign_server s
)
SELECT l.address, l.column, ${EXPLODED('l.acl', 'l.owner')} AS now,
       -- Whoever owned it then granted it to himself.
       ${EXPLODED('l.usual', 'e.grantor')} AS usual
  FROM list l WHERE l.acl IS NOT NULL`;

const POLICY_ROLES = `
SELECT DISTINCT pg_catalog.pg_get_userbyid(r)::text AS role
  FROM pg_catalog.pg_policy p, pg_catalog.unnest(p.polroles) AS r WHERE r <> 0`;

/** Reads privileges; call it when everything that can have them is known. */
export async function readPrivileges(inventory: Inventory): Promise<void> {
  const roles = new Set<string>();
  for (const row of await inventory.session.query<ListRow>(LISTS, [], inventory.signal)) {
    const target = inventory.targets.get(row.address);
    if (target === undefined) continue;
    const isPublic = target.text === 'SCHEMA public';
    const on = `ON ${grantTarget(target.text)}`;
    const change = (from: Privilege[] | null, to: Privilege[] | null): Making[] => {
      if (!isPublic) return difference(from ?? [], to ?? [], row.column, on);
      // It is there already, and whoever owns it keeps what he has.
      const others = (list: Privilege[] | null) => (list ?? []).filter(({ grantee }) => grantee !== null);
      return difference(others(from), others(to), row.column, on).map(({ sql }) => where(OWNS_PUBLIC, sql));
    };
    const statements = change(row.usual, row.now);
    if (statements.length === 0) continue;
    for (const { role } of row.now ?? []) if (role !== null) roles.add(role);
    enter(inventory, {
      address: `privileges/${row.address}`,
      label: `PRIVILEGES ON ${target.text}`,
      rank: RANKS.PRIVILEGES,
      phase: 'AFTER',
      statements,
      drop: change(row.now, row.usual)
        .map((statement) => statement.sql)
        .join(';\n'),
      partOf: target.of,
      needs: [target.address],
    });
  }
  await readDefaultPrivileges(inventory, roles);
  for (const { role } of await inventory.session.query<{ role: string }>(
    POLICY_ROLES,
    [],
    inventory.signal,
  )) {
    roles.add(role);
  }
  for (const role of [...roles].sort()) {
    inventory.notCarried.push({
      name: `role ${role}`,
      reason: 'roles belong to the server: grants come back where it exists, policies need it',
    });
  }
}

/** How GRANT names what COMMENT ON names otherwise. */
function grantTarget(text: string): string {
  const column = /^COLUMN ((?:"(?:[^"]|"")*"|[^".])+\.(?:"(?:[^"]|"")*"|[^".])+)\./.exec(text);
  if (column !== null) return `TABLE ${column[1]}`;
  return text
    .replace(/^(MATERIALIZED VIEW|VIEW|FOREIGN TABLE) /, 'TABLE ')
    .replace(/^AGGREGATE /, 'FUNCTION ')
    .replace(/^DOMAIN /, 'TYPE ')
    .replace(/^SERVER /, 'FOREIGN SERVER ');
}

const keyOf = (entry: Privilege): string => JSON.stringify([entry.grantee, entry.privilege, entry.grantable]);

/** The statements that turn one list into another. */
function difference(
  from: readonly Privilege[],
  to: readonly Privilege[],
  column: string | null,
  on: string,
  prefix = '',
): Making[] {
  const [had, has] = [new Set(from.map(keyOf)), new Set(to.map(keyOf))];
  const lost = from.filter((entry) => !has.has(keyOf(entry)));
  const gained = to.filter((entry) => !had.has(keyOf(entry)));
  const of = (privileges: readonly Privilege[]): string =>
    privileges.map(({ privilege }) => `${privilege}${column === null ? '' : ` (${column})`}`).join(', ');
  const statements: Making[] = [];
  for (const [list, verb] of [
    [lost, 'REVOKE'],
    [gained, 'GRANT'],
  ] as const) {
    const groups = Map.groupBy(list, ({ grantee, grantable }) => JSON.stringify([grantee, grantable]));
    for (const group of groups.values()) {
      const [first] = group;
      if (first === undefined) continue;
      const who = first.grantee ?? 'CURRENT_USER';
      const option = verb === 'GRANT' && first.grantable ? ' WITH GRANT OPTION' : '';
      const sql = `${prefix}${verb} ${of(group)} ${on} ${verb === 'GRANT' ? 'TO' : 'FROM'} ${who}${option}`;
      statements.push(first.role === null ? { sql } : whereRoleExists(first.role, sql));
    }
  }
  return statements;
}

/** A statement that does nothing where the role does not exist, or (when asked) cannot be acted for. */
function whereRoleExists(role: string, sql: string, asMember = false): Making {
  const member = asMember ? ` AND pg_catalog.pg_has_role(oid, 'USAGE')` : '';
  return where(`EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(role)}${member})`, sql);
}

interface DefaultRow {
  oid: string;
  role: string;
  quotedRole: string;
  own: boolean;
  schema: string | null;
  schemaAddress: string | null;
  schemaLabel: string | null;
  kind: string;
  now: Privilege[] | null;
  usual: Privilege[] | null;
}

const DEFAULTS = `
SELECT d.oid::text AS oid, pg_catalog.pg_get_userbyid(d.defaclrole)::text AS role,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole)) AS "quotedRole",
       pg_catalog.pg_get_userbyid(d.defaclrole) = current_user AS own,
       pg_catalog.quote_ident(n.nspname) AS schema, n.nspname::text AS "schemaLabel", 'pg_namespace/' || n.oid AS "schemaAddress",
       d.defaclobjtype::text AS kind, ${EXPLODED('d.defaclacl', 'd.defaclrole')} AS now,
       CASE WHEN n.oid IS NULL THEN ${EXPLODED(`pg_catalog.acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::"char", d.defaclrole)`, 'd.defaclrole')} END AS usual
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`;

const KINDS: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
};

async function readDefaultPrivileges(inventory: Inventory, roles: Set<string>): Promise<void> {
  for (const row of await inventory.session.query<DefaultRow>(DEFAULTS, [], inventory.signal)) {
    const kind = KINDS[row.kind];
    if (kind === undefined) continue;
    const prefix = [
      'ALTER DEFAULT PRIVILEGES ',
      row.own ? '' : `FOR ROLE ${row.quotedRole} `,
      row.schema === null ? '' : `IN SCHEMA ${row.schema} `,
    ].join('');
    const guarded = (statements: Making[]): Making[] =>
      row.own ? statements : statements.map(({ sql }) => whereRoleExists(row.role, sql, true));
    const change = (from: Privilege[] | null, to: Privilege[] | null): Making[] =>
      guarded(difference(from ?? [], to ?? [], null, `ON ${kind}`, prefix));
    for (const { role } of row.now ?? []) if (role !== null) roles.add(role);
    const of = row.own ? '' : ` OF ${row.role}`;
    const where = row.schemaLabel === null ? '' : ` IN SCHEMA ${row.schemaLabel}`;
    enter(inventory, {
      address: `pg_default_acl/${row.oid}`,
      label: `DEFAULT PRIVILEGES ON ${kind}${of}${where}`,
      rank: RANKS.DEFAULT_PRIVILEGES,
      phase: 'AFTER',
      statements: change(row.usual, row.now),
      drop: change(row.now, row.usual)
        .map((statement) => statement.sql)
        .join(';\n'),
      ...(row.schemaAddress === null ? {} : { needs: [row.schemaAddress] }),
    });
  }
}
