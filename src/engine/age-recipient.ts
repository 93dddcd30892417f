/** Recipients of the age format, checked before anything is sealed for them: `age1` and an X25519 key in Bech32. */

const PREFIX = 'age';
const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
/** BIP 173: the generator of the checksum. */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_SYMBOLS = 6;
/** 32 bytes in symbols of 5 bits, the last of which ends with 4 bits of padding. */
const KEY_SYMBOLS = 52;
const PADDING_MASK = 0b1111;

function checksumOf(symbols: readonly number[]): number {
  let sum = 1;
  for (const symbol of symbols) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ symbol;
    for (const [bit, generator] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= generator;
  }
  return sum;
}

/** Whether the text is a recipient that a bundle can be sealed for: one with a typing error is not. */
export function isAgeRecipient(text: string): boolean {
  if (!text.startsWith(`${PREFIX}1`)) return false;
  const symbols = [...text.slice(PREFIX.length + 1)].map((character) => ALPHABET.indexOf(character));
  if (symbols.length !== KEY_SYMBOLS + CHECKSUM_SYMBOLS || symbols.includes(-1)) return false;
  if (((symbols[KEY_SYMBOLS - 1] ?? 0) & PADDING_MASK) !== 0) return false;
  const letters = [...PREFIX].map((letter) => letter.charCodeAt(0));
  const expanded = [...letters.map((code) => code >>> 5), 0, ...letters.map((code) => code & 31)];
  return checksumOf([...expanded, ...symbols]) === 1;
}
