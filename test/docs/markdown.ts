/** Reads what the tests need of the repository's documents. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block: what stands after the fence, and between the fences. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** Paths of every document, relative to the repository. */
export const documents: readonly string[] = ['', 'docs/'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}${name}`),
);

/** Text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The fenced blocks of a text, in order. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** The text from a heading to the next one of its level. */
export function sectionOf(markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n## ${heading}\n`);
  if (start === -1) throw new Error(`There is no section "${heading}".`);
  const end = markdown.indexOf('\n## ', start + 1);
  return markdown.slice(start, end === -1 ? undefined : end);
}

/** The GraphQL operations of a text: its graphql blocks, and what its shell blocks hand to `gql`. */
export function operationsOf(markdown: string): string[] {
  return blocksOf(markdown).flatMap(({ language, text }) =>
    language === 'graphql'
      ? [text]
      : [...text.matchAll(/\bgql '([^']*)'/g)].map(([, operation = '']) => operation),
  );
}
