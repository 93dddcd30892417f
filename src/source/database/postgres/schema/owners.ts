/** Whom objects belong to, so that what is made again belongs to the same role. */
import type { SchemaStatement } from '../../../schema-script.ts';
import type { LiveSchema } from './read-schema.ts';
import type { SchemaObject } from './schema-object.ts';

const OWNERS = `
SELECT o.address, pg_catalog.quote_ident(r.rolname) AS role FROM (
  SELECT 'pg_class/' || c.oid AS address, c.relowner AS owner FROM pg_catalog.pg_class c WHERE c.relkind NOT IN ('i', 'I')
  UNION ALL SELECT 'pg_proc/' || p.oid, p.proowner FROM pg_catalog.pg_proc p
  UNION ALL SELECT 'pg_type/' || t.oid, t.typowner FROM pg_catalog.pg_type t
  UNION ALL SELECT 'pg_foreign_server/' || s.oid, s.srvowner FROM pg_catalog.pg_foreign_server s
) AS o JOIN pg_catalog.pg_roles r ON r.oid = o.owner
 WHERE o.address = ANY($1::text[]) AND r.rolname <> current_user`;

/** The statements that give `objects` back to their owners; none for those of the session's own role. */
export async function formerOwners(
  live: LiveSchema,
  objects: readonly SchemaObject[],
  signal: AbortSignal,
): Promise<SchemaStatement[]> {
  const { session, targets } = live.inventory;
  const rows = await session.query<{ address: string; role: string }>(
    OWNERS,
    [objects.map((object) => object.address)],
    signal,
  );
  const owners = new Map(rows.map((row) => [row.address, row.role]));
  return objects.flatMap((object): SchemaStatement[] => {
    const role = owners.get(object.address);
    const target = targets.get(object.address);
    if (role === undefined || target === undefined) return [];
    return [{ object: `OWNER OF ${object.label}`, sql: `ALTER ${target.text} OWNER TO ${role}` }];
  });
}
