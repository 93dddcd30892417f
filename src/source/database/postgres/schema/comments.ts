/** Comments on everything. */
import { quoteText } from '../quote.ts';
import { OWNS_PUBLIC, where } from './conditional.ts';
import { enter, type Inventory, making, RANKS } from './schema-object.ts';

/** The comment that initdb gives to the schema public is no comment of the application's. */
const COMMENTS = `
SELECT d.classoid::regclass::text || '/' || d.objoid || CASE WHEN d.objsubid = 0 THEN '' ELSE '/' || d.objsubid END AS address,
       d.description AS text
  FROM pg_catalog.pg_description d
 WHERE d.objoid >= 16384
    OR (d.classoid = 'pg_catalog.pg_namespace'::regclass AND d.description <> 'standard public schema')`;

/** Reads comments; call it last, when all that can have one is known. */
export async function readComments(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<{ address: string; text: string }>(
    COMMENTS,
    [],
    inventory.signal,
  );
  for (const { address, text } of rows) {
    const target = inventory.targets.get(address);
    if (target === undefined) continue;
    const sql = `COMMENT ON ${target.text} IS ${quoteText(text)}`;
    enter(inventory, {
      address: `comment/${address}`,
      label: `COMMENT ON ${target.text}`,
      rank: RANKS.COMMENT,
      phase: 'AFTER',
      statements: [target.text === 'SCHEMA public' ? where(OWNS_PUBLIC, sql) : making(sql)],
      drop: `COMMENT ON ${target.text} IS NULL`,
      partOf: target.of,
      needs: [target.address],
    });
  }
}
