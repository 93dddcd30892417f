import { describe, inject, it } from 'vitest';
import { mariadbApplication } from '../support/engine-application.ts';
import { killSchemaSuite } from './kill-schema-suite.ts';
import { killSuite } from './kill-suite.ts';

const serverUrl = inject('mariadbUrl');

describe('MariaDB and files', () => {
  if (serverUrl === null) {
    it.skip('needs a MariaDB server', () => undefined);
    return;
  }
  killSuite((directory) => mariadbApplication(directory, serverUrl), 'OF THE DATABASE');
  killSchemaSuite((directory) => mariadbApplication(directory, serverUrl));
});
