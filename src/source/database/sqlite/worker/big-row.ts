/**
 * Reads a line that is too big to become a string: a blob of 300 MB is 600 MB of hex, more than JavaScript's strings
 * hold. Takes the form that exports write: no white space between the tokens.
 */
import { MalformedRow } from './malformed-row.ts';
import { exactNumber, TextBytes, taggedValue, type Value } from './values.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;

/** The fields of one row line, as values. */
export function bigFields(line: Buffer): Record<string, Value> {
  const fields = new Map<string, Value>();
  let at = 0;
  const expect = (byte: number): void => {
    if (line[at] !== byte) throw new MalformedRow('its line is no JSON object as exports write them');
    at += 1;
  };
  /** The bytes between two quotes, still escaped. */
  const quoted = (): Buffer => {
    expect(QUOTE);
    const start = at;
    at = closingQuote(line, start) + 1;
    return line.subarray(start, at - 1);
  };
  const value = (): Value => {
    if (line[at] === QUOTE) return new TextBytes(unescaped(quoted()), true);
    if (line[at] === OPEN) {
      at += 1;
      const tag = quoted().toString();
      expect(COLON);
      const hex = quoted();
      expect(CLOSE);
      return taggedValue(tag, hex);
    }
    const start = at;
    while (at < line.length && line[at] !== COMMA && line[at] !== CLOSE) at += 1;
    return token(line.toString('latin1', start, at));
  };

  expect(OPEN);
  for (;;) {
    const name = unescaped(quoted()).toString();
    if (fields.has(name)) throw new MalformedRow('it names a column twice');
    expect(COLON);
    fields.set(name, value());
    if (line[at] !== COMMA) break;
    at += 1;
  }
  expect(CLOSE);
  if (at !== line.length - 1) throw new MalformedRow('something follows the object on its line');
  return Object.fromEntries(fields);
}

function token(text: string): Value {
  if (text === 'null') return null;
  if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return exactNumber(text);
  throw new MalformedRow('it holds a value that SQLite has not');
}

function closingQuote(line: Buffer, start: number): number {
  for (let at = start; at < line.length; at += 1) {
    if (line[at] === QUOTE) return at;
    if (line[at] === BACKSLASH) at += 1;
  }
  throw new MalformedRow('a string on its line does not end');
}

/** What the letter after a backslash stands for, where that is one byte. */
const SHORT_ESCAPES = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)],
  ),
);

/** The bytes that an escaped JSON string stands for. */
function unescaped(json: Buffer): Buffer {
  if (!json.includes(BACKSLASH)) return json;
  // An escape is never shorter than what it stands for.
  const text = Buffer.allocUnsafe(json.length);
  let written = 0;
  for (let read = 0; read < json.length; ) {
    const byte = json[read] ?? 0;
    const short = byte === BACKSLASH ? SHORT_ESCAPES.get(json[read + 1] ?? 0) : byte;
    if (short !== undefined) {
      text[written] = short;
      written += 1;
      read += byte === BACKSLASH ? 2 : 1;
    } else {
      const sequence = escapeAt(json, read);
      written += text.write(parsedEscape(sequence), written);
      read += sequence.length;
    }
  }
  return text.subarray(0, written);
}

/** One escape, or two where a surrogate pair needs both. */
function escapeAt(json: Buffer, at: number): string {
  const ahead = json.toString('latin1', at, at + 12);
  const pair = /^\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}/.exec(ahead);
  return pair?.[0] ?? ahead.slice(0, ahead[1] === 'u' ? 6 : 2);
}

function parsedEscape(sequence: string): string {
  try {
    const text: unknown = JSON.parse(`"${sequence}"`);
    if (typeof text === 'string' && text.isWellFormed()) return text;
  } catch {
    // Refused below, like half a surrogate pair.
  }
  throw new MalformedRow('it holds an escape that is none');
}
