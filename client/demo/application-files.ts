/** The application's files: what a project looks like, with everything that backups like to forget. */
import { chmod, lutimes, mkdir, readdir, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Random } from './random.ts';

/** Files of ordinary projects; the rest are written one by one. */
const SKILL_DIRECTORIES = 60;

async function write(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  await chmod(path, mode);
}

/** Gives every path below a time of its own in the past, children before their directories. */
async function age(root: string, random: Random): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const path = join(root, entry.name);
    if (entry.isDirectory()) await age(path, random);
    const seconds = 1_700_000_000 + random.integer(0, 30_000_000);
    await (entry.isSymbolicLink() ? lutimes : utimes)(path, seconds, seconds);
  }
}

/** Writes a few hundred files below `root`. */
export async function createApplicationFiles(root: string): Promise<void> {
  const random = new Random(7);
  for (let number = 1; number <= SKILL_DIRECTORIES; number++) {
    const skill = join(root, 'skills', `skill-${String(number).padStart(2, '0')}`);
    await write(join(skill, 'SKILL.md'), `# Skill ${number}\n\n${random.words(60)}\n`);
    await write(join(skill, 'scripts', 'run.sh'), `#!/bin/sh\necho ${random.words(4)}\n`, 0o755);
    await write(join(skill, 'scripts', 'lib', 'index.ts'), `export const text = '${random.words(20)}';\n`);
    await write(join(skill, 'tests', 'basic.test.ts'), `// ${random.words(15)}\n`);
    await write(join(skill, '.metadata.json'), JSON.stringify({ number, tags: random.words(3).split(' ') }));
  }
  await write(join(root, 'app', 'routes', 'blog', '[...slug].tsx'), 'export default function Post() {}\n');
  await write(join(root, 'app', '..hidden..', 'a b & c.txt'), 'Dots and spaces are legal names.\n');
  await write(join(root, 'Grüße', '東京 🚀.md'), 'So are these.\n');
  await write(join(root, '.env.example'), 'DATABASE_URL=\n', 0o600);
  await write(join(root, 'empty.log'), '');
  await write(join(root, 'assets', 'model.bin'), random.bytes(256 * 1024), 0o444);
  await mkdir(join(root, 'uploads', 'empty'), { recursive: true });
  await chmod(join(root, 'uploads'), 0o750);
  await symlink('skills/skill-01', join(root, 'current'));
  await symlink('../nowhere', join(root, 'dangling'));
  await age(root, random);
}

/** What a bad deployment does to the files, in words. */
export async function damageFiles(root: string): Promise<string[]> {
  await rm(join(root, 'skills', 'skill-07'), { recursive: true });
  await rm(join(root, 'app', 'routes'), { recursive: true });
  await writeFile(join(root, 'skills', 'skill-03', 'SKILL.md'), 'This page was overwritten.\n');
  await chmod(join(root, 'skills', 'skill-02', 'scripts', 'run.sh'), 0o644);
  await unlink(join(root, 'current'));
  await symlink('skills/skill-60', join(root, 'current'));
  await writeFile(join(root, 'core.dump'), 'Nobody asked for this file.\n');
  return [
    'skills/skill-07 and app/routes deleted',
    'skills/skill-03/SKILL.md overwritten',
    'skills/skill-02/scripts/run.sh no longer executable',
    'the link current points elsewhere',
    'core.dump left behind',
  ];
}
