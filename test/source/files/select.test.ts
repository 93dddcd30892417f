import { describe, expect, it } from 'vitest';
import { selectBy } from '../../../src/source/files/select.ts';

describe('globs of a tree', () => {
  it('no globs take everything: dotfiles, odd names, names with line breaks', () => {
    const all = selectBy([], []);
    for (const path of [
      'a',
      '.env',
      '.git/config',
      '[...slug]/page.tsx',
      'a..b',
      '..hidden',
      'a\nb/c',
      '\udce9',
    ]) {
      expect(all.takes(path), path).toBe(true);
    }
  });

  it('include names what is taken, dotfiles and deeper levels included', () => {
    const logs = selectBy(['**/*.log'], []);
    expect(['a.log', '.hidden.log', 'x/.y/b.log', 'line\nbreak/b.log'].every(logs.takes)).toBe(true);
    expect(logs.takes('a.txt')).toBe(false);
    expect(selectBy(['*.log'], []).takes('x/a.log')).toBe(false);
  });

  it('a directory named by a glob is covered with everything beneath it, however it is spelled', () => {
    for (const glob of ['docs', 'docs/', './docs', 'docs/**']) {
      const docs = selectBy([glob], []);
      expect(docs.takes('docs/a/b.md'), glob).toBe(true);
      expect(docs.enters('docs'), glob).toBe(true);
      expect(docs.takes('docs2/a'), glob).toBe(false);
    }
  });

  it('exclude wins over include, and an excluded directory is not entered', () => {
    const some = selectBy(['src/**'], ['**/node_modules', 'src/tmp/**']);
    expect(some.takes('src/a.ts')).toBe(true);
    expect(some.enters('src/node_modules')).toBe(false);
    expect(some.takes('src/x/node_modules/y/z')).toBe(false);
    expect(some.enters('src/tmp')).toBe(false);
  });

  it('directories that lead to something included are entered, others are not', () => {
    const some = selectBy(['a/*/c.txt', 'd/**/e'], []);
    expect(['a', 'a/b', 'd', 'd/x/y'].every(some.enters)).toBe(true);
    expect(['b', 'a/b/c', 'x/a'].some(some.enters)).toBe(false);
    expect(selectBy(['{a,b/c}/x'], []).enters('b')).toBe(true);
  });

  it('brackets can be escaped to mean themselves', () => {
    const page = selectBy(['\\[...slug\\]'], []);
    expect(page.takes('[...slug]/page.tsx')).toBe(true);
    expect(page.takes('s')).toBe(false);
  });

  it('what a restore put there is never taken', () => {
    const all = selectBy([], []);
    expect(all.takes('.uploads.holdfast-r1-new/a')).toBe(false);
    expect(all.enters('x/.uploads.holdfast-r1-old')).toBe(false);
    expect(all.takes('.uploads.holdfast-notes')).toBe(true);
  });

  it('globs that cannot mean anything here are refused', () => {
    for (const glob of ['', '/', '/etc', '../x', 'a/../b', '!keep', 'x'.repeat(1001)]) {
      expect(() => selectBy([glob], []), glob).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    }
  });
});
