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
  // Else NULL within an array would be read as the word, and `= NULL` in a view as IS NULL.
  array_nulls: 'on',
  transform_null_equals: 'off',
  // Else names in definitions are all quoted, and a structure looks changed that is not.
  quote_all_identifiers: 'off',
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
  // Only for a superuser: foreign keys are checked, and damaged pages are told instead of read as empty.
  session_replication_role: 'origin',
  zero_damaged_pages: 'off',
  ignore_checksum_failure: 'off',
  // From version 17 on, and only for a superuser: like other triggers they stay silent.
  event_triggers: 'off',
};
