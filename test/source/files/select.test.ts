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
    for (const glob of ['', '.', './.', '/', '/etc', '../x', 'a/../b', '!keep', 'x'.repeat(1001)]) {
      expect(() => selectBy([glob], []), glob).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    }
  });

  it('a "." between slashes changes nothing', () => {
    expect(selectBy(['./docs/./a'], []).takes('docs/a')).toBe(true);
  });

  it('globs that could take minutes to match are refused, by name', () => {
    const slow = [
      '*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b',
      'docs/*a*a*a*b',
      '+(a|aa)b',
      'x/@(a|b)',
      '{a,b}'.repeat(7),
      'x'.repeat(501),
    ];
    for (const glob of slow) {
      expect(() => selectBy([], [glob]), glob).toThrow(
        expect.objectContaining({
          code: 'INVALID_INPUT',
          message: expect.stringContaining(glob.slice(0, 40)),
        }),
      );
    }
  });

  it('parentheses, plus and bar are characters of names', () => {
    const some = selectBy(['(a+)+b', 'a|b', 'Copy (1)*.txt'], []);
    expect(['(a+)+b', 'a|b', 'Copy (1) of.txt'].every(some.takes)).toBe(true);
    expect(['aab', 'a', 'Copy 1.txt'].some(some.takes)).toBe(false);
  });

  it('braces, classes and "**" mean what they mean in a shell', () => {
    const some = selectBy(['{a,b/{c,d}}/x*y', '**.log', 'p/**/q/**/r', '[0-9]?', 'v{1..3}', '{one}'], []);
    for (const path of [
      'a/xy',
      'b/d/x-y',
      'k/l/m.log',
      'm.log',
      'p/q/r',
      'p/1/q/2/q/3/r/s',
      '4x',
      'v2',
      '{one}',
    ]) {
      expect(some.takes(path), path).toBe(true);
    }
    for (const path of ['b/x-y', 'c/xy', 'p/r', 'p/q', 'x4', 'v4', 'one']) {
      expect(some.takes(path), path).toBe(false);
    }
    expect(['a', 'b', 'b/c', 'p/x'].every(some.enters)).toBe(true);
  });
});
