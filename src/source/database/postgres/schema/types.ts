/** Enums, composite types and ranges. */

import { quoteText } from '../quote.ts';
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface TypeRow {
  address: string;
  name: string;
  label: string;
  kind: string;
  category: string;
  labels: string[] | null;
  attributes: { name: string; type: string; collation: string | null }[] | null;
  classAddress: string | null;
  subtype: string | null;
  subtypeOpclass: string | null;
  rangeCollation: string | null;
  canonical: boolean;
  subtypeDiff: string | null;
  multirange: string | null;
}

/** Types that stand alone: neither row types of tables nor array types. */
const TYPES = `
SELECT 'pg_type/' || t.oid AS address, pg_catalog.format_type(t.oid, NULL) AS name,
       ${labelName('n.nspname', 't.typname')} AS label, t.typtype::text AS kind, t.typcategory::text AS category,
       CASE WHEN t.typrelid <> 0 THEN 'pg_class/' || t.typrelid END AS "classAddress",
       (SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
         WHERE e.enumtypid = t.oid) AS labels,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', pg_catalog.quote_ident(a.attname),
                 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                 'collation', CASE WHEN a.attcollation <> at.typcollation AND a.attcollation <> 0
                   THEN (SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
                           FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
                          WHERE co.oid = a.attcollation) END) ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type at ON at.oid = a.atttypid
         WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes,
       pg_catalog.format_type(r.rngsubtype, NULL) AS subtype, coalesce(r.rngcanonical::oid <> 0, false) AS canonical,
       CASE WHEN NOT o.opcdefault THEN pg_catalog.quote_ident(opn.nspname) || '.' || pg_catalog.quote_ident(o.opcname) END AS "subtypeOpclass",
       CASE WHEN r.rngcollation <> st.typcollation THEN pg_catalog.quote_ident(rcn.nspname) || '.' || pg_catalog.quote_ident(rc.collname) END AS "rangeCollation",
       CASE WHEN r.rngsubdiff::oid <> 0 THEN (SELECT pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.proname)
          FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace WHERE f.oid = r.rngsubdiff) END AS "subtypeDiff",
       (SELECT pg_catalog.format_type(((pg_catalog.to_jsonb(r) ->> 'rngmultitypid'))::oid, NULL)) AS multirange
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_catalog.pg_type st ON st.oid = r.rngsubtype
  LEFT JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
  LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = o.opcnamespace
  LEFT JOIN pg_catalog.pg_collation rc ON rc.oid = r.rngcollation
  LEFT JOIN pg_catalog.pg_namespace rcn ON rcn.oid = rc.collnamespace
 WHERE ${USER_SCHEMA} AND t.typtype IN ('e', 'c', 'r', 'b', 'p')
   AND (t.typrelid = 0 OR (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) = 'c')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_type el WHERE el.typarray = t.oid)`;

/** Reads every type but domains. */
export async function readTypes(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<TypeRow>(TYPES, [], inventory.signal)) {
    const definition = typeDefinition(row);
    const entered = enter(
      inventory,
      {
        address: row.address,
        label: `TYPE ${row.label}`,
        rank: RANKS.TYPE,
        phase: 'BEFORE',
        statements: definition === undefined ? [] : [{ sql: `CREATE TYPE ${row.name} AS ${definition}` }],
        drop: `DROP TYPE IF EXISTS ${row.name}`,
        ...(definition === undefined
          ? { impossible: 'a base type; its functions are part of the server, not of the database' }
          : {}),
      },
      `TYPE ${row.name}`,
    );
    if (!entered || row.classAddress === null) continue;
    inventory.aliases.set(row.classAddress, row.address);
    for (const [n, attribute] of (row.attributes ?? []).entries()) {
      const address = `${row.classAddress}/${n + 1}`;
      inventory.targets.set(address, {
        text: `COLUMN ${row.name}.${attribute.name}`,
        of: row.address,
        address,
      });
    }
  }
}

function typeDefinition(row: TypeRow): string | undefined {
  switch (row.kind) {
    case 'e':
      return `ENUM (${(row.labels ?? []).map((label) => `\n    ${quoteText(label)}`).join(',')}\n)`;
    case 'c': {
      const attributes = (row.attributes ?? []).map(
        ({ name, type, collation }) =>
          `\n    ${name} ${type}${collation === null ? '' : ` COLLATE ${collation}`}`,
      );
      return `(${attributes.join(',')}\n)`;
    }
    case 'r': {
      if (row.canonical) return undefined;
      const parts = [
        `SUBTYPE = ${row.subtype}`,
        ...(row.subtypeOpclass === null ? [] : [`SUBTYPE_OPCLASS = ${row.subtypeOpclass}`]),
        ...(row.rangeCollation === null ? [] : [`COLLATION = ${row.rangeCollation}`]),
        ...(row.subtypeDiff === null ? [] : [`SUBTYPE_DIFF = ${row.subtypeDiff}`]),
        ...(row.multirange === null ? [] : [`MULTIRANGE_TYPE_NAME = ${row.multirange}`]),
      ];
      return `RANGE (\n    ${parts.join(',\n    ')}\n)`;
    }
    default:
      return undefined;
  }
}
