import { describe, inject } from 'vitest';
import { postgresApplication } from '../support/engine-application.ts';
import { killSchemaSuite } from './kill-schema-suite.ts';
import { killSuite } from './kill-suite.ts';

describe('PostgreSQL and files', () => {
  killSuite((directory) => postgresApplication(directory, inject('postgresUrl')), 'ALL');
  killSchemaSuite((directory) => postgresApplication(directory, inject('postgresUrl')));
});
