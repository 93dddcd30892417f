/** Collations. */
import { quoteText } from '../quote.ts';
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface CollationRow {
  address: string;
  name: string;
  label: string;
  /** The row of pg_collation, whose columns differ between versions. */
  row: Record<string, string | boolean | null>;
}

const COLLATIONS = `
SELECT 'pg_collation/' || c.oid AS address, ${labelName('n.nspname', 'c.collname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname) AS name, pg_catalog.to_jsonb(c) AS row
  FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE ${USER_SCHEMA}`;

const PROVIDERS: Readonly<Record<string, string>> = { i: 'icu', c: 'libc', b: 'builtin', d: 'default' };

/** Reads collations. */
export async function readCollations(inventory: Inventory): Promise<void> {
  for (const { address, name, label, row } of await inventory.session.query<CollationRow>(
    COLLATIONS,
    [],
    inventory.signal,
  )) {
    const provider = PROVIDERS[String(row['collprovider'])] ?? 'libc';
    const locale = row['colllocale'] ?? row['colliculocale'] ?? null;
    const [collate, ctype] = [row['collcollate'] ?? null, row['collctype'] ?? null];
    const rules = row['collicurules'] ?? null;
    const parts = [
      `provider = ${provider}`,
      ...(row['collisdeterministic'] === false ? ['deterministic = false'] : []),
      ...(locale !== null
        ? [`locale = ${quoteText(String(locale))}`]
        : collate === ctype
          ? [`locale = ${quoteText(String(collate))}`]
          : [`lc_collate = ${quoteText(String(collate))}`, `lc_ctype = ${quoteText(String(ctype))}`]),
      ...(rules === null ? [] : [`rules = ${quoteText(String(rules))}`]),
    ];
    enter(
      inventory,
      {
        address,
        label: `COLLATION ${label}`,
        rank: RANKS.COLLATION,
        phase: 'BEFORE',
        statements: [{ sql: `CREATE COLLATION ${name} (${parts.join(', ')})` }],
        drop: `DROP COLLATION IF EXISTS ${name}`,
      },
      `COLLATION ${name}`,
    );
  }
}
