/** Reads the beginning of CREATE TRIGGER, which the server keeps as it was typed. */
import { unquote } from './create-statement.ts';
import { quoteName } from './names.ts';

const SPACE = '(?:\\s|/\\*.*?\\*/|(?:--\\s|#)[^\\n]*\\n)';
const NAME = '`(?:[^`]|``)+`';
const ANY_NAME = `(?:${NAME}|"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)`;
const HEAD = new RegExp(
  [
    `^CREATE${SPACE}+(?:OR${SPACE}+REPLACE${SPACE}+)?(DEFINER=(?:${NAME}@${NAME}|${NAME})\\s+)?TRIGGER${SPACE}+`,
    `(?:IF${SPACE}+NOT${SPACE}+EXISTS${SPACE}+)?(${ANY_NAME}${SPACE}*\\.${SPACE}*)?${ANY_NAME}${SPACE}+`,
    `(BEFORE|AFTER)${SPACE}+(INSERT|UPDATE|DELETE)${SPACE}+`,
    `ON${SPACE}+(${ANY_NAME}${SPACE}*\\.${SPACE}*)?(${ANY_NAME})(?=${SPACE}+FOR\\b)`,
  ].join(''),
  'is',
);

/**
 * The same statement without the database in its names, which may be called otherwise where it is run. One that names
 * none, or whose beginning cannot be read, is left as it is.
 */
export function unqualifiedTriggerSql(sql: string, name: string, table: string): string {
  const [head, definer = '', database, timing, event, databaseOfTable] = HEAD.exec(sql) ?? [];
  if (head === undefined || (database === undefined && databaseOfTable === undefined)) return sql;
  return `CREATE ${definer}TRIGGER ${quoteName(name)} ${timing} ${event} ON ${quoteName(table)}${sql.slice(head.length)}`;
}

/** The table of a trigger; undefined when the statement cannot be read. */
export function tableOfTrigger(sql: string): string | undefined {
  const name = HEAD.exec(sql)?.[6];
  if (name === undefined) return undefined;
  if (name.startsWith('`')) return unquote(name);
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
