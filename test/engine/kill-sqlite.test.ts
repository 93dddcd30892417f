import { describe } from 'vitest';
import { sqliteApplication } from '../support/engine-application.ts';
import { killSchemaSuite } from './kill-schema-suite.ts';
import { killSuite } from './kill-suite.ts';

describe('SQLite and files', () => {
  killSuite(sqliteApplication, 'OF THE DATABASE');
  killSchemaSuite(sqliteApplication);
});
