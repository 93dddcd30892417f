/** The settings every connection runs with, whatever the database, the role or postgresql.conf say. */

/**
 * What the text of values and the meaning of statements depend on. Values must come out and go in the same
 * whatever the database, the role or postgresql.conf set. `search_path` is empty, so every name is qualified.
 */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '3',
  lc_monetary: 'C',
  xmloption: 'content',
  search_path: '',
  standard_conforming_strings: 'on',
  // An error instead of rows that are silently left out.
  row_security: 'off',
  // Rows in the order they are stored, so that a restore keeps it.
  synchronize_seqscans: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  client_min_messages: 'warning',
  // From version 17 on, and only for a superuser: like other triggers they stay silent.
  event_triggers: 'off',
};
