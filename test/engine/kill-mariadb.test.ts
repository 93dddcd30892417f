import { describe, inject } from 'vitest';
import { mariadbApplication } from '../support/engine-application.ts';
import { killSuite } from './kill-suite.ts';

const serverUrl = inject('mariadbUrl');

describe.skipIf(serverUrl === null)('MariaDB and files', () => {
  killSuite((directory) => mariadbApplication(directory, serverUrl ?? ''), 'OF THE DATABASE');
});
