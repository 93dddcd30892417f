/** What every session of ours sets, whatever the server's own settings are. */

/**
 * Names and values mean the same in every session: strict, zero dates and zero ids allowed, double quotes for text,
 * backslashes escape, times in UTC, names shown whole.
 */
const SQL_MODE = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES';

/** The settings that statements of a schema may change. */
export const PINNED: readonly string[] = [
  `SET SESSION sql_mode = '${SQL_MODE}', time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 1,
     sql_quote_show_create = 1`,
  'SET NAMES utf8mb4',
  'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
];

/** How long statements may take; waiting for locks takes at most so many seconds. */
export function limits(lockSeconds: number, isMariadb: boolean): readonly string[] {
  const ofKind = isMariadb
    ? 'max_statement_time = 0, idle_transaction_timeout = 0'
    : 'information_schema_stats_expiry = 0, max_execution_time = 0';
  return [
    `SET SESSION lock_wait_timeout = ${lockSeconds}, innodb_lock_wait_timeout = ${lockSeconds},
       net_write_timeout = 3600, net_read_timeout = 3600, wait_timeout = 31536000, sql_notes = 1, ${ofKind}`,
    // An error about rows of a table's past would stand in the way of its indexes.
    ...(isMariadb ? ['SET SESSION system_versioning_alter_history = KEEP'] : []),
  ];
}
