import pg from 'pg';
import { describe, inject } from 'vitest';
import { postgresApplication } from '../support/engine-application.ts';
import { drillSuite } from './drill-suite.ts';

describe('a drill of a PostgreSQL backup', () => {
  drillSuite({
    make: (directory) => postgresApplication(directory, inject('postgresUrl')),
    trigger: [
      {
        object: 'FUNCTION public.forge()',
        sql: "CREATE FUNCTION public.forge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := ''forged''; RETURN NEW; END'",
        compound: true,
      },
      {
        object: 'TRIGGER forged ON public.author',
        sql: 'CREATE TRIGGER forged BEFORE INSERT ON public.author FOR EACH ROW EXECUTE FUNCTION public.forge()',
      },
    ],
    drill: { url: inject('postgresUrl'), onOwnServer: false },
    databases: async () => {
      const client = new pg.Client({ connectionString: inject('postgresUrl') });
      await client.connect();
      try {
        const { rows } = await client.query<{ datname: string }>(
          "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast_drill_%' ORDER BY 1",
        );
        return rows.map(({ datname }) => datname);
      } finally {
        await client.end();
      }
    },
  });
});
