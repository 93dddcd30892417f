/** Writes JSON strings from bytes, as the server's own JSON_QUOTE does. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const ESCAPES: readonly (string | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE) return '\\"';
  if (byte === BACKSLASH) return '\\\\';
  if (byte >= SPACE) return undefined;
  const short = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r' }[byte];
  return short ?? `\\u00${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

const BOUND = Buffer.from('"');

/** A JSON string of UTF-8 text, in pieces. */
export function quotedText(text: Buffer): Buffer[] {
  const pieces: Buffer[] = [BOUND];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0;
    if (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH) continue;
    if (start < at) pieces.push(text.subarray(start, at));
    pieces.push(Buffer.from(ESCAPES[byte] ?? '', 'latin1'));
    start = at + 1;
  }
  if (start < text.length) pieces.push(text.subarray(start));
  pieces.push(BOUND);
  return pieces.length > 64 ? [Buffer.concat(pieces)] : pieces;
}

/** A JSON string of hexadecimal digits. */
export function quotedHex(bytes: Buffer): Buffer[] {
  return [BOUND, hexDigits(bytes), BOUND];
}

const HEX = Buffer.from('0123456789ABCDEF');

function hexDigits(bytes: Buffer): Buffer {
  const digits = Buffer.allocUnsafe(bytes.length * 2);
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    digits[2 * at] = HEX[byte >> 4] ?? 0;
    digits[2 * at + 1] = HEX[byte & 15] ?? 0;
  }
  return digits;
}
