/**
 * GraphQL's own errors repeat what a caller sent: `Variable "$input" got invalid value { … } at "input.x"; …, found:
 * { … }`. What was sent may be a passphrase or a connection string, and answers end up in other people's logs.
 */

/** Before the whole object that a field was wrong in; with a capital after a question: "Did you mean …? Found: ". */
const FOUND = /(?:, found|[.?] Found): /;
/** An enum says it without the words of the other types. */
const NO_SUCH_VALUE = /Value "[\s\S]*" does not exist in ("\w+" enum)/;
/** What GraphQL's own scalars and enums say before the value. */
const CANNOT_REPRESENT = /( cannot represent [^:]*?value): [\s\S]*$/;
/** What the parser met where it expected something else. */
const MET = /^(Syntax Error: [\s\S]*?\b(?:String|BlockString|Int|Float)) "[\s\S]*"/;
const VARIABLE = /^(Variable "\$\w+" got) invalid value /;
const PATH = / at "[\w.]+"$/;

/** The message, telling where and what is wrong, but not what was sent. */
export function withoutValues(message: string): string {
  const found = message.search(FOUND);
  // "Did you mean …?" keeps its question mark.
  const mark = message[found] === ',' ? '.' : message[found];
  const told = (found < 0 ? message : `${message.slice(0, found)}${mark}`)
    .replace(MET, '$1')
    .replace(CANNOT_REPRESENT, '$1.')
    .replace(NO_SUCH_VALUE, 'The value does not exist in $1');
  const variable = VARIABLE.exec(told);
  if (variable === null) return told;
  // What comes after the value never has a semicolon; a value may.
  const end = told.lastIndexOf('; ');
  const path = PATH.exec(told.slice(0, end))?.[0] ?? '';
  return `${variable[1]} an invalid value${path}${end < 0 ? '.' : told.slice(end)}`;
}

/** Where a value stands that one of our own scalars refused. */
const REFUSED_AT = / at "([\w.]+)"; Expected value of type "\w+", but encountered error/;

/**
 * A refusal of a scalar with the place of the value. GraphQL puts the value on both sides of what the scalar said.
 * @param refusal what the scalar said, which never repeats the value
 */
export function refusalInPlace(message: string, refusal: string): string {
  const variable = VARIABLE.exec(message);
  if (variable === null) return refusal;
  const place = REFUSED_AT.exec(message)?.[1];
  return `${variable[1]} an invalid value${place === undefined ? '' : ` at "${place}"`}: ${refusal}`;
}
