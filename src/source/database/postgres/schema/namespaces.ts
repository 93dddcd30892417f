/** Schemas and extensions. */
import { enter, type Inventory, RANKS } from './schema-object.ts';

/** True of schemas of applications; `n` is pg_namespace. */
export const USER_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

const SCHEMAS = `
SELECT 'pg_namespace/' || n.oid AS address, n.nspname::text AS name, pg_catalog.quote_ident(n.nspname) AS quoted
  FROM pg_catalog.pg_namespace n WHERE ${USER_SCHEMA}`;

const EXTENSIONS = `
SELECT 'pg_extension/' || e.oid AS address, e.extname::text AS name, pg_catalog.quote_ident(e.extname) AS quoted,
       pg_catalog.quote_ident(n.nspname) AS schema, n.nspname ~ '^pg_' AS fixed, 'pg_namespace/' || n.oid AS "schemaAddress",
       pg_catalog.obj_description(e.oid, 'pg_extension') AS comment,
       (SELECT a.comment FROM pg_catalog.pg_available_extensions a WHERE a.name = e.extname) AS "usualComment"
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname <> 'plpgsql'`;

/** Every schema but `public`, which every database has. */
export async function readSchemas(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<{ address: string; name: string; quoted: string }>(
    SCHEMAS,
    [],
    inventory.signal,
  );
  for (const { address, name, quoted } of rows) {
    if (name === 'public') {
      inventory.targets.set(address, { text: 'SCHEMA public', of: address, address });
      continue;
    }
    enter(
      inventory,
      {
        address,
        label: `SCHEMA ${name}`,
        rank: RANKS.SCHEMA,
        phase: 'BEFORE',
        statements: [{ sql: `CREATE SCHEMA IF NOT EXISTS ${quoted}` }],
        drop: undefined,
      },
      `SCHEMA ${quoted}`,
    );
  }
}

/** Extensions with their schema. The version is the one the target offers. */
export async function readExtensions(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<{
    address: string;
    name: string;
    quoted: string;
    schema: string;
    fixed: boolean;
    schemaAddress: string;
    comment: string | null;
    usualComment: string | null;
  }>(EXTENSIONS, [], inventory.signal);
  for (const row of rows) {
    const schema = row.fixed ? '' : ` WITH SCHEMA ${row.schema}`;
    const object = {
      address: row.address,
      label: `EXTENSION ${row.name}`,
      rank: RANKS.EXTENSION,
      phase: 'BEFORE' as const,
      statements: [{ sql: `CREATE EXTENSION IF NOT EXISTS ${row.quoted}${schema}` }],
      drop: undefined,
      needs: [row.schemaAddress],
    };
    // The comment that an extension brings along is no comment of the application's.
    if (row.comment === row.usualComment) enter(inventory, object);
    else enter(inventory, object, `EXTENSION ${row.quoted}`);
  }
}
