/** Enums, composite types, ranges, domains and collations. */
import { quoteText } from '../quote.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, type Making, RANKS } from './schema-object.ts';

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
       n.nspname || '.' || t.typname AS label, t.typtype::text AS kind, t.typcategory::text AS category,
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
        drop: `DROP TYPE IF EXISTS ${row.name} CASCADE`,
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

interface DomainConstraint {
  address: string;
  name: string;
  kind: string;
  standard: boolean;
  definition: string;
  valid: boolean;
}

interface DomainRow {
  address: string;
  name: string;
  label: string;
  base: string;
  collation: string | null;
  defaultValue: string | null;
  notNull: boolean;
  constraints: DomainConstraint[] | null;
}

const DOMAINS = `
SELECT 'pg_type/' || t.oid AS address, pg_catalog.format_type(t.oid, NULL) AS name, n.nspname || '.' || t.typname AS label,
       pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base, t.typnotnull AS "notNull", t.typdefault AS "defaultValue",
       CASE WHEN t.typcollation <> b.typcollation THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('address', 'pg_constraint/' || c.oid,
                 'name', pg_catalog.quote_ident(c.conname), 'kind', c.contype, 'valid', c.convalidated,
                 'standard', c.conname = t.typname || '_not_null',
                 'definition', pg_catalog.pg_get_constraintdef(c.oid)) ORDER BY c.conname COLLATE "C")
          FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid) AS constraints
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = t.typcollation
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
 WHERE t.typtype = 'd' AND ${USER_SCHEMA}`;

/** Reads domains. Constraints that were let pass existing values come after the rows, and stay so. */
export async function readDomains(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<DomainRow>(DOMAINS, [], inventory.signal)) {
    const constraints = row.constraints ?? [];
    const inline = constraints.filter((constraint) => constraint.valid && constraint.kind === 'c');
    const named = constraints.find((constraint) => constraint.kind === 'n' && !constraint.standard);
    const parts = [
      `CREATE DOMAIN ${row.name} AS ${row.base}`,
      ...(row.collation === null ? [] : [` COLLATE ${row.collation}`]),
      ...(row.defaultValue === null ? [] : [` DEFAULT ${row.defaultValue}`]),
      ...(row.notNull ? [`${named === undefined ? '' : ` CONSTRAINT ${named.name}`} NOT NULL`] : []),
      ...inline.map(({ name, definition }) => `\n    CONSTRAINT ${name} ${definition}`),
    ];
    const statements: Making[] = [{ sql: parts.join('') }];
    const entered = enter(
      inventory,
      {
        address: row.address,
        label: `DOMAIN ${row.label}`,
        rank: RANKS.DOMAIN,
        phase: 'BEFORE',
        statements,
        drop: `DROP DOMAIN IF EXISTS ${row.name} CASCADE`,
      },
      `DOMAIN ${row.name}`,
    );
    if (!entered) continue;
    for (const { address, name, definition, valid } of constraints) {
      if (!valid) {
        enter(inventory, {
          address,
          label: `DOMAIN CONSTRAINT ${name} ON ${row.label}`,
          rank: RANKS.CHECK,
          phase: 'AFTER',
          statements: [{ sql: `ALTER DOMAIN ${row.name} ADD CONSTRAINT ${name} ${definition}` }],
          drop: `ALTER DOMAIN ${row.name} DROP CONSTRAINT IF EXISTS ${name}`,
          partOf: row.address,
        });
      }
      const of = valid ? row.address : address;
      inventory.targets.set(address, { text: `CONSTRAINT ${name} ON DOMAIN ${row.name}`, of, address });
    }
  }
}

interface CollationRow {
  address: string;
  name: string;
  label: string;
  /** The row of pg_collation, whose columns differ between versions. */
  row: Record<string, string | boolean | null>;
}

const COLLATIONS = `
SELECT 'pg_collation/' || c.oid AS address, n.nspname || '.' || c.collname AS label,
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
        drop: `DROP COLLATION IF EXISTS ${name} CASCADE`,
      },
      `COLLATION ${name}`,
    );
  }
}
