import { describe, inject, it } from 'vitest';
import { mariadbApplication } from '../support/engine-application.ts';
import { connected } from '../support/mariadb-database.ts';
import { drillSuite } from './drill-suite.ts';

const serverUrl = inject('mariadbUrl');

describe('a drill of a MariaDB backup', () => {
  if (serverUrl === null) {
    it.skip('needs a MariaDB server', () => undefined);
    return;
  }
  drillSuite({
    make: (directory) => mariadbApplication(directory, serverUrl),
    spoil: {
      column: (sql) => sql.replace('`name` text', '`name` varbinary(40)'),
      told: /does not restore: .*author/,
    },
    drill: { url: `${serverUrl}/mysql`, onOwnServer: false },
    databases: async () => {
      const connection = await connected(serverUrl);
      try {
        const rows = await connection.query<string[][]>("SHOW DATABASES LIKE 'holdfast\\_drill\\_%'");
        return rows.map(([name = '']) => name).sort();
      } finally {
        await connection.end();
      }
    },
  });
});
