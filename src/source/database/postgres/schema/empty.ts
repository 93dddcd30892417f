/** Whether anything of an application is in a database. */
import type { PostgresSession } from '../session.ts';
import { USER_SCHEMA } from './namespaces.ts';

const NOT_OF_EXTENSION = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;

/** One row of each catalog is enough. Schemas made for an extension count as the extension's. */
const ANYTHING = [
  `SELECT FROM pg_catalog.pg_namespace n WHERE ${USER_SCHEMA} AND n.nspname <> 'public' AND ${NOT_OF_EXTENSION('pg_namespace', 'n.oid')}
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE x.extnamespace = n.oid)`,
  ...(
    [
      ['pg_class', 'relnamespace', `x.relkind <> 'i' AND x.relpersistence <> 't'`],
      ['pg_proc', 'pronamespace', 'true'],
      ['pg_type', 'typnamespace', `x.typrelid = 0 AND x.typcategory <> 'A'`],
      ['pg_operator', 'oprnamespace', 'true'],
      ['pg_collation', 'collnamespace', 'true'],
      ['pg_ts_config', 'cfgnamespace', 'true'],
      ['pg_ts_dict', 'dictnamespace', 'true'],
    ] as const
  ).map(
    ([catalog, namespace, condition]) =>
      `SELECT FROM pg_catalog.${catalog} x JOIN pg_catalog.pg_namespace n ON n.oid = x.${namespace}
        WHERE ${USER_SCHEMA} AND ${condition} AND ${NOT_OF_EXTENSION(catalog, 'x.oid')}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.${catalog}'::regclass AND i.objid = x.oid AND i.deptype = 'i')`,
  ),
]
  .map((question) => `EXISTS (${question})`)
  .join('\n OR ');

/** True when there is no schema besides `public`, and no table, type, function, … but those of extensions. */
export async function isEmpty(session: PostgresSession, signal: AbortSignal): Promise<boolean> {
  const [row] = await session.query<{ taken: boolean }>(`SELECT ${ANYTHING} AS taken`, [], signal);
  return row?.taken === false;
}
