/** Foreign servers, of wrappers that an extension brings. */
import { quoteText } from '../quote.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface ServerRow {
  address: string;
  plainName: string;
  name: string;
  wrapper: string;
  wrapperAddress: string;
  type: string | null;
  version: string | null;
  options: string[] | null;
}

const SERVERS = `
SELECT 'pg_foreign_server/' || s.oid AS address, s.srvname::text AS "plainName", pg_catalog.quote_ident(s.srvname) AS name,
       pg_catalog.quote_ident(w.fdwname) AS wrapper, 'pg_foreign_data_wrapper/' || w.oid AS "wrapperAddress",
       s.srvtype AS type, s.srvversion AS version,
       (SELECT pg_catalog.array_agg(pg_catalog.quote_ident(o.option_name) || ' ' || pg_catalog.quote_literal(o.option_value))
          FROM pg_catalog.pg_options_to_table(s.srvoptions) AS o WHERE o.option_name <> 'password') AS options
  FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw`;

/** Reads foreign servers. */
export async function readForeignServers(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<ServerRow>(SERVERS, [], inventory.signal)) {
    const sql = [
      `CREATE SERVER ${row.name}`,
      row.type === null ? '' : ` TYPE ${quoteText(row.type)}`,
      row.version === null ? '' : ` VERSION ${quoteText(row.version)}`,
      ` FOREIGN DATA WRAPPER ${row.wrapper}`,
      row.options === null ? '' : ` OPTIONS (${row.options.join(', ')})`,
    ].join('');
    enter(
      inventory,
      {
        address: row.address,
        label: `SERVER ${row.plainName}`,
        rank: RANKS.FOREIGN_SERVER,
        phase: 'BEFORE',
        statements: [{ sql }],
        drop: `DROP SERVER IF EXISTS ${row.name}`,
        needs: [row.wrapperAddress],
      },
      `SERVER ${row.name}`,
    );
  }
}
