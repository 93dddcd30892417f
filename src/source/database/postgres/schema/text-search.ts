/** Text search dictionaries and configurations. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface DictionaryRow {
  address: string;
  label: string;
  name: string;
  template: string;
  options: string | null;
}

const DICTIONARIES = `
SELECT 'pg_ts_dict/' || d.oid AS address, ${labelName('n.nspname', 'd.dictname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(d.dictname) AS name,
       pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.tmplname) AS template, d.dictinitoption AS options
  FROM pg_catalog.pg_ts_dict d JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
  JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_catalog.pg_namespace tn ON tn.oid = t.tmplnamespace
 WHERE ${USER_SCHEMA}`;

interface ConfigurationRow {
  address: string;
  label: string;
  name: string;
  parser: string;
  mappings: { token: string; dictionaries: string }[] | null;
}

const CONFIGURATIONS = `
SELECT 'pg_ts_config/' || c.oid AS address, ${labelName('n.nspname', 'c.cfgname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.cfgname) AS name,
       pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.prsname) AS parser,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('token', m.token, 'dictionaries', m.dictionaries) ORDER BY m.id)
          FROM (SELECT t.tokid AS id, pg_catalog.quote_ident(t.alias) AS token,
                       pg_catalog.string_agg(pg_catalog.quote_ident(dn.nspname) || '.' || pg_catalog.quote_ident(d.dictname), ', ' ORDER BY m.mapseqno) AS dictionaries
                  FROM pg_catalog.pg_ts_config_map m
                  JOIN pg_catalog.ts_token_type(c.cfgparser) AS t ON t.tokid = m.maptokentype
                  JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict JOIN pg_catalog.pg_namespace dn ON dn.oid = d.dictnamespace
                 WHERE m.mapcfg = c.oid GROUP BY t.tokid, t.alias) AS m) AS mappings
  FROM pg_catalog.pg_ts_config c JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
  JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
 WHERE ${USER_SCHEMA}`;

/** Reads both. */
export async function readTextSearch(inventory: Inventory): Promise<void> {
  const { session, signal } = inventory;
  for (const row of await session.query<DictionaryRow>(DICTIONARIES, [], signal)) {
    const options = row.options === null ? '' : `,\n    ${row.options}`;
    enter(
      inventory,
      {
        address: row.address,
        label: `TEXT SEARCH DICTIONARY ${row.label}`,
        rank: RANKS.TEXT_SEARCH,
        phase: 'BEFORE',
        statements: [
          { sql: `CREATE TEXT SEARCH DICTIONARY ${row.name} (\n    TEMPLATE = ${row.template}${options}\n)` },
        ],
        drop: `DROP TEXT SEARCH DICTIONARY IF EXISTS ${row.name}`,
      },
      `TEXT SEARCH DICTIONARY ${row.name}`,
    );
  }
  for (const row of await session.query<ConfigurationRow>(CONFIGURATIONS, [], signal)) {
    const mappings = (row.mappings ?? []).map(({ token, dictionaries }) => ({
      sql: `ALTER TEXT SEARCH CONFIGURATION ${row.name} ADD MAPPING FOR ${token} WITH ${dictionaries}`,
    }));
    enter(
      inventory,
      {
        address: row.address,
        label: `TEXT SEARCH CONFIGURATION ${row.label}`,
        rank: RANKS.TEXT_SEARCH,
        phase: 'BEFORE',
        statements: [
          { sql: `CREATE TEXT SEARCH CONFIGURATION ${row.name} (PARSER = ${row.parser})` },
          ...mappings,
        ],
        drop: `DROP TEXT SEARCH CONFIGURATION IF EXISTS ${row.name}`,
      },
      `TEXT SEARCH CONFIGURATION ${row.name}`,
    );
  }
}
