/** Domains and their constraints. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, type Making, RANKS } from './schema-object.ts';

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
SELECT 'pg_type/' || t.oid AS address, pg_catalog.format_type(t.oid, NULL) AS name, ${labelName('n.nspname', 't.typname')} AS label,
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
        drop: `DROP DOMAIN IF EXISTS ${row.name}`,
      },
      `DOMAIN ${row.name}`,
    );
    if (!entered) continue;
    enterDomainConstraints(inventory, row);
  }
}

function enterDomainConstraints(inventory: Inventory, row: DomainRow): void {
  for (const { address, name, definition, valid } of row.constraints ?? []) {
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
