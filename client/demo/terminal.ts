/** What the demo writes: titled steps, aligned tables, colours only where they are wanted. */
import { stripVTControlCharacters, styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Whether lines can be drawn over. */
export const isInteractive = process.stdout.isTTY === true;

/** Text in a style; as it is where colours are not wanted (NO_COLOR, or no terminal). */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Columns the text takes up, near enough: styles take none. */
const width = (text: string): number => stripVTControlCharacters(text).length;

let steps = 0;

/** Begins a step. */
export function step(title: string, explanation: string): void {
  steps += 1;
  console.log(`\n${styled('bold', `${steps}  ${title}`)}\n   ${styled('dim', explanation)}`);
}

/** A line that says how something turned out. */
export function line(text: string): void {
  console.log(`   ${text}`);
}

/** A line for something that went well. */
export function good(text: string): void {
  line(`${styled('green', '✓')} ${text}`);
}

/** A line for something that was damaged or failed. */
export function bad(text: string): void {
  line(`${styled('red', '✗')} ${text}`);
}

/** A column of a table. */
export interface TableColumn {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
}

/** Writes rows under titles. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map(({ title }, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ''))),
  );
  const write = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const space = ' '.repeat((widths[index] ?? 0) - width(cell));
        return columns[index]?.align === 'right' ? space + cell : cell + space;
      })
      .join('   ')
      .trimEnd();
  line(styled('dim', write(columns.map(({ title }) => title))));
  for (const row of rows) line(write(row));
}

/** A count, with separators. */
export function count(value: number | string): string {
  return BigInt(value).toLocaleString('en');
}

/** A size, in the unit that suits it. */
export function size(bytes: number | string): string {
  const value = Number(bytes);
  const power = Math.min(3, Math.floor(Math.log10(Math.max(value, 1)) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${['B', 'kB', 'MB', 'GB'][power]}`;
}

/** A share from 0 to 1 as a bar. */
export function bar(share: number, columns = 24): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * columns);
  return styled('cyan', '█'.repeat(filled)) + styled('dim', '░'.repeat(columns - filled));
}

/** Cuts text to a number of columns. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
