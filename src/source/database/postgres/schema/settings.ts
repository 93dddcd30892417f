/** The settings that a script runs with. */
import type { SchemaStatement } from '../../../schema-script.ts';

/** What statements mean must not hang on the settings of the server they run in. */
export const SETTINGS: Readonly<Record<string, string>> = {
  // Bodies name things that are made later, or find by a search_path that is not set here.
  check_function_bodies: 'off',
  client_encoding: "'UTF8'",
  client_min_messages: 'warning',
  default_table_access_method: 'heap',
  default_tablespace: "''",
  row_security: 'off',
  standard_conforming_strings: 'on',
  xmloption: 'content',
};

/** The statements every script begins with. */
export function settingStatements(): SchemaStatement[] {
  return Object.entries(SETTINGS).map(([name, value]) => ({
    object: `SETTING ${name}`,
    sql: `SET ${name} = ${value}`,
  }));
}
