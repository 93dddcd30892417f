import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { loadScript } from '../../../support/postgres-load.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../support/postgres-round-trip.ts';

const never = new AbortController().signal;
const data = fileURLToPath(new URL('../../../../../shared/data/', import.meta.url));
const present = existsSync(data);

/** Backs up, wrecks, restores; the database itself says whether every table is as before. */
async function roundTrip(database: TestDatabase, wreck: string): Promise<void> {
  const source = openPostgres(database.url);
  const taken = await take(source);
  const before = await contents(database.adminUrl, taken.tables);
  const structure = await constraints(database);
  await database.asAdmin(wreck);
  const wrecked = await contents(database.adminUrl, taken.tables);
  expect(wrecked).not.toEqual(before);

  await (await putBackUncommitted(source, taken)).rollback();
  expect(await contents(database.adminUrl, taken.tables)).toEqual(wrecked);

  await putBack(source, taken);
  expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
  const again = await take(source);
  expect(again.sequences).toEqual(taken.sequences);
  expect(again.rows).toEqual(taken.rows);
  expect(await constraints(database)).toEqual(structure);
}

function constraints(database: TestDatabase): Promise<(string | null)[][]> {
  return database.query(
    `SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated::text
       FROM pg_constraint WHERE connamespace = 'public'::regnamespace
     UNION ALL
     SELECT tgrelid::regclass::text, tgname::text, tgenabled::text, '' FROM pg_trigger WHERE NOT tgisinternal
     ORDER BY 1, 2`,
  );
}

/** Hands everything of the superuser's in this database over to its owner. */
async function handOver(database: TestDatabase): Promise<void> {
  await database.asAdmin(`DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
       AND c.relkind IN ('r', 'p', 'v', 'm') LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO ${database.owner}', r.name);
    END LOOP;
    FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
       AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')) LOOP
      EXECUTE format('ALTER SEQUENCE %s OWNER TO ${database.owner}', r.name);
    END LOOP;
  END $$`);
}

describe.skipIf(!present)('sample databases (run when ../shared/data is beside the repository)', () => {
  it('Sakila comes back whole: circular keys, enum, domain, tsvector, bytea, arrays, inheritance, triggers', async () => {
    const database = await createTestDatabase(inject('postgresUrl'));
    try {
      await loadScript(database.adminUrl, `${data}sakila-postgres-schema.sql`);
      await loadScript(database.adminUrl, `${data}sakila-postgres-data.sql`);
      await handOver(database);
      const { tables } = await openPostgres(database.url).describe(never);
      expect(tables.filter((table) => table.implicit !== true)).toHaveLength(21);
      const rentals = [{ schema: 'public', name: 'rental' }];
      expect(await openPostgres(database.url).countRows(rentals, never)).toEqual([16_044]);
      await roundTrip(
        database,
        `DELETE FROM public.payment;
         DELETE FROM public.rental WHERE rental_id % 3 = 0;
         UPDATE public.film SET title = 'x', special_features = NULL, rating = 'R';
         UPDATE public.staff SET store_id = 1, picture = NULL;
         SELECT setval('public.rental_rental_id_seq', 1)`,
      );
    } finally {
      await database.dispose();
    }
  });

  it('Chinook comes back whole', async () => {
    const database = await createTestDatabase(inject('postgresUrl'));
    try {
      await loadScript(database.url, `${data}chinook-postgres.sql`, /^(\\|DROP DATABASE|CREATE DATABASE)/);
      await roundTrip(database, "TRUNCATE invoice, invoice_line; UPDATE artist SET name = 'nobody'");
    } finally {
      await database.dispose();
    }
  });
});
