/** Reads the beginning of CREATE TRIGGER, which the server keeps as it was typed. */
import { unquote } from './create-statement.ts';
import { quoteName } from './names.ts';

const SPACE = '(?:\\s|/\\*.*?\\*/|(?:--\\s|#)[^\\n]*\\n)';
const NAME = '`(?:[^`]|``)+`';
const ANY_NAME = `(?:${NAME}|"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)`;
const HEAD = new RegExp(
  [
    `^CREATE${SPACE}+(?:OR${SPACE}+REPLACE${SPACE}+)?(DEFINER=(?:${NAME}@${NAME}|${NAME})\\s+)?TRIGGER${SPACE}+`,
    `(?:IF${SPACE}+NOT${SPACE}+EXISTS${SPACE}+)?(?:${ANY_NAME}${SPACE}*\\.${SPACE}*)?${ANY_NAME}${SPACE}+`,
    `(BEFORE|AFTER)${SPACE}+(INSERT|UPDATE|DELETE)${SPACE}+`,
    `ON${SPACE}+(?:${ANY_NAME}${SPACE}*\\.${SPACE}*)?(${ANY_NAME})(?=${SPACE}+FOR\\b)`,
  ].join(''),
  'is',
);

/**
 * The same statement with its names quoted and without the database, which may have another name where it is run.
 * A beginning that cannot be read is left as it is.
 */
export function plainTriggerSql(sql: string, name: string, table: string): string {
  return sql.replace(
    HEAD,
    (_, definer: string | undefined, timing: string, event: string) =>
      `CREATE ${definer ?? ''}TRIGGER ${quoteName(name)} ${timing.toUpperCase()} ${event.toUpperCase()} ON ${quoteName(table)}`,
  );
}

/** The table of a trigger; undefined when the statement cannot be read. */
export function tableOfTrigger(sql: string): string | undefined {
  const name = HEAD.exec(sql)?.[4];
  if (name === undefined) return undefined;
  if (name.startsWith('`')) return unquote(name);
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
