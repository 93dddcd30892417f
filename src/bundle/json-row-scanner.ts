/**
 * Tells whether a row line is well-formed JSON (RFC 8259), byte by byte, without making a value of it: a table that maps
 * state and byte to the next state, and a stack for what nests. JSON.parse would take three times as long, and its
 * garbage. Bytes from 0x80 on pass within strings: whether they are UTF-8 is for who holds the whole chunk to ask.
 */

/** Objects and arrays within each other; a row itself is the first. No source writes more than three. */
const MOST_NESTED = 128;

const BYTES = 256;

/** What each state waits for, or is in. */
const STATES = [
  'FAILED',
  'ROW',
  'DONE',
  'VALUE',
  'VALUE_OR_END',
  'NAME',
  'NAME_OR_END',
  'COLON',
  'AFTER',
  // Within a string, which is a name or a value.
  'NAME_TEXT',
  'NAME_ESCAPE',
  'NAME_HEX1',
  'NAME_HEX2',
  'NAME_HEX3',
  'NAME_HEX4',
  'TEXT',
  'TEXT_ESCAPE',
  'TEXT_HEX1',
  'TEXT_HEX2',
  'TEXT_HEX3',
  'TEXT_HEX4',
  // Within a number.
  'MINUS',
  'ZERO',
  'INTEGER',
  'POINT',
  'FRACTION',
  'E',
  'E_SIGN',
  'EXPONENT',
  // Within a word.
  'T',
  'TR',
  'TRU',
  'F',
  'FA',
  'FAL',
  'FALS',
  'N',
  'NU',
  'NUL',
  // No states: what cannot be told without the stack.
  'OPEN_OBJECT',
  'OPEN_ARRAY',
  'CLOSE_OBJECT',
  'CLOSE_ARRAY',
  'COMMA',
] as const;
type State = (typeof STATES)[number];

/** A plain lookup by name; the codes are what the table holds. */
const CODES = Object.fromEntries(STATES.map((name, code) => [name, code])) as Record<State, number>;
const { FAILED, ROW, DONE, VALUE, VALUE_OR_END, NAME, NAME_OR_END, AFTER, NAME_TEXT, TEXT } = CODES;
const { OPEN_OBJECT, OPEN_ARRAY, CLOSE_OBJECT, CLOSE_ARRAY } = CODES;

/** The next state by `state * 256 + byte`; what is not set fails. */
const NEXT = new Uint8Array(STATES.length * BYTES);

function on(state: State, bytes: string, next: State): void {
  for (const byte of Buffer.from(bytes, 'latin1')) NEXT[CODES[state] * BYTES + byte] = CODES[next];
}

const DIGITS = '0123456789';
const HEX = `${DIGITS}abcdefABCDEF`;

function addStructure(): void {
  on('ROW', '{', 'OPEN_OBJECT');
  // No newline: it ends the row.
  const waiting = ['DONE', 'VALUE', 'VALUE_OR_END', 'NAME', 'NAME_OR_END', 'COLON', 'AFTER'] as const;
  for (const state of waiting) on(state, ' \t\r', state);
  on('COLON', ':', 'VALUE');
  on('NAME', '"', 'NAME_TEXT');
  on('NAME_OR_END', '"', 'NAME_TEXT');
  on('NAME_OR_END', '}', 'CLOSE_OBJECT');
  on('VALUE_OR_END', ']', 'CLOSE_ARRAY');
  for (const state of ['VALUE', 'VALUE_OR_END'] as const) {
    on(state, '{', 'OPEN_OBJECT');
    on(state, '[', 'OPEN_ARRAY');
    on(state, '"', 'TEXT');
    on(state, '-', 'MINUS');
    on(state, '0', 'ZERO');
    on(state, '123456789', 'INTEGER');
    on(state, 't', 'T');
    on(state, 'f', 'F');
    on(state, 'n', 'N');
  }
  for (const state of ['AFTER', 'ZERO', 'INTEGER', 'FRACTION', 'EXPONENT'] as const) {
    on(state, ',', 'COMMA');
    on(state, '}', 'CLOSE_OBJECT');
    on(state, ']', 'CLOSE_ARRAY');
    on(state, ' \t\r', 'AFTER');
  }
}

function addStrings(kind: 'NAME' | 'TEXT', text: 'NAME_TEXT' | 'TEXT', behind: State): void {
  for (let byte = 0x20; byte < BYTES; byte++) NEXT[CODES[text] * BYTES + byte] = CODES[text];
  on(text, '"', behind);
  on(text, '\\', `${kind}_ESCAPE`);
  on(`${kind}_ESCAPE`, '"\\/bfnrt', text);
  on(`${kind}_ESCAPE`, 'u', `${kind}_HEX1`);
  on(`${kind}_HEX1`, HEX, `${kind}_HEX2`);
  on(`${kind}_HEX2`, HEX, `${kind}_HEX3`);
  on(`${kind}_HEX3`, HEX, `${kind}_HEX4`);
  on(`${kind}_HEX4`, HEX, text);
}

function addNumbers(): void {
  on('MINUS', '0', 'ZERO');
  on('MINUS', '123456789', 'INTEGER');
  on('INTEGER', DIGITS, 'INTEGER');
  on('POINT', DIGITS, 'FRACTION');
  on('FRACTION', DIGITS, 'FRACTION');
  for (const state of ['ZERO', 'INTEGER'] as const) on(state, '.', 'POINT');
  for (const state of ['ZERO', 'INTEGER', 'FRACTION'] as const) on(state, 'eE', 'E');
  on('E', '+-', 'E_SIGN');
  for (const state of ['E', 'E_SIGN', 'EXPONENT'] as const) on(state, DIGITS, 'EXPONENT');
}

function addWords(): void {
  const words: readonly (readonly [string, readonly State[]])[] = [
    ['rue', ['T', 'TR', 'TRU', 'AFTER']],
    ['alse', ['F', 'FA', 'FAL', 'FALS', 'AFTER']],
    ['ull', ['N', 'NU', 'NUL', 'AFTER']],
  ];
  for (const [letters, states] of words) {
    for (const [at, letter] of [...letters].entries()) {
      const [state, next] = states.slice(at);
      if (state !== undefined && next !== undefined) on(state, letter, next);
    }
  }
}

addStructure();
addStrings('NAME', 'NAME_TEXT', 'COLON');
addStrings('TEXT', 'TEXT', 'AFTER');
addNumbers();
addWords();

/** Looks at row lines in pieces. */
export class JsonRowScanner {
  #state: number = ROW;
  #depth = 0;
  /** 1 for each object under way and 0 for each array, from the outermost. */
  readonly #nesting = new Uint8Array(MOST_NESTED);

  /** Takes `chunk[start, end)`, a piece of a row; false as soon as nothing could make it well-formed. */
  take(chunk: Buffer, start: number, end: number): boolean {
    let state = this.#state;
    let at = start;
    while (at < end) {
      if (state === TEXT || state === NAME_TEXT) {
        // Most bytes by far: those that leave the state as it is, without waiting for it.
        const row = state * BYTES;
        while (at < end && NEXT[row + (chunk[at] ?? 0)] === state) at++;
        if (at === end) break;
      }
      state = NEXT[state * BYTES + (chunk[at] ?? 0)] ?? FAILED;
      if (state >= OPEN_OBJECT) state = this.#nest(state);
      if (state === FAILED) break;
      at++;
    }
    this.#state = state;
    return state !== FAILED;
  }

  /** Whether the row is whole; what is taken next begins another. */
  end(): boolean {
    const whole = this.#state === DONE;
    this.#state = ROW;
    this.#depth = 0;
    return whole;
  }

  #nest(action: number): number {
    if (action === OPEN_OBJECT || action === OPEN_ARRAY) {
      if (this.#depth === MOST_NESTED) return FAILED;
      this.#nesting[this.#depth++] = action === OPEN_OBJECT ? 1 : 0;
      return action === OPEN_OBJECT ? NAME_OR_END : VALUE_OR_END;
    }
    const inObject = this.#nesting[this.#depth - 1] === 1;
    if (action === CLOSE_OBJECT || action === CLOSE_ARRAY) {
      if (inObject !== (action === CLOSE_OBJECT)) return FAILED;
      this.#depth--;
      return this.#depth === 0 ? DONE : AFTER;
    }
    return inObject ? NAME : VALUE;
  }
}
