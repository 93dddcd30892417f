/** What a bench found, for people, for machines and for the documents. */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** Cells as they are shown; the first column names, the others are figures. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One part of the report, and of docs/benchmarks.md. */
export interface Section {
  /** Between the markers of this name it stands in the document. */
  readonly id: string;
  readonly title: string;
  /** On what it was measured, in sentences. */
  readonly facts: readonly string[];
  readonly tables: readonly Table[];
  /** The same for machines: plain data. */
  readonly data: unknown;
}

/** What a bench gives back. */
export interface Outcome {
  readonly sections: readonly Section[];
  /** False when a bound is broken; goals are no bounds. */
  readonly holds: boolean;
}

/** The machine, now. */
export function machine(): string {
  const node = `Node ${process.versions.node}`;
  const processor = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'})`;
  return `${node}, ${processor}, ${Math.round(totalmem() / 2 ** 30)} GB, ${new Date().toISOString().slice(0, 10)}`;
}

/** How busy the machine was: call it at the beginning, and what it gives at the end. */
export function watchLoad(): () => string {
  const before = loadNow();
  return () => `Load average ${before} at the beginning and ${loadNow()} at the end.`;
}

function loadNow(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

/** Shows sections as text. */
export function toText(sections: readonly Section[]): string {
  return sections
    .map(({ title, facts, tables }) =>
      [`== ${title}`, ...facts, ...tables.map((table) => `\n${textTable(table)}`)].join('\n'),
    )
    .join('\n\n');
}

/** Shows sections as one JSON document. */
export function toJson(sections: readonly Section[]): string {
  const data = sections.map(({ id, title, facts, data: figures }) => ({ id, title, facts, figures }));
  return JSON.stringify({ machine: machine(), sections: data }, null, 2);
}

/**
 * Puts sections between their markers in a document.
 * @throws Error when a marker is missing; nothing is written then
 */
export async function writeSections(path: string, sections: readonly Section[]): Promise<void> {
  let text = await readFile(path, 'utf8');
  for (const section of sections) {
    const [begin, end] = [`<!-- measured: ${section.id} -->`, `<!-- end of ${section.id} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`${path} has no markers "${begin}" and "${end}".`);
    text = `${text.slice(0, from + begin.length)}\n${toMarkdown(section)}\n${text.slice(to)}`;
  }
  await writeFile(path, text);
}

function toMarkdown({ facts, tables }: Section): string {
  return [facts.join(' '), ...tables.map(markdownTable)].join('\n\n');
}

function markdownTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n');
}

function textTable({ head, rows }: Table): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ');
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
