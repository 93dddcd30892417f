import { describe, inject } from 'vitest';
import { postgresApplication } from '../support/engine-application.ts';
import { killSuite } from './kill-suite.ts';

describe('PostgreSQL and files', () => {
  killSuite((directory) => postgresApplication(directory, inject('postgresUrl')), 'ALL');
});
