import pg from 'pg';
import { describe, inject } from 'vitest';
import { postgresApplication } from '../support/engine-application.ts';
import { drillSuite } from './drill-suite.ts';

describe('a drill of a PostgreSQL backup', () => {
  drillSuite({
    make: (directory) => postgresApplication(directory, inject('postgresUrl')),
    spoil: {
      column: (sql) => sql.replace(/(\bname"?) text/, '$1 character(10)'),
      told: /author: what the database holds after loading is not what the bundle holds/,
    },
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
