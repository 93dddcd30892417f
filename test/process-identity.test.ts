import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { processIdentity } from '../src/process-identity.ts';

const { owner, isDead } = processIdentity();
const [host = '', pid = '', start = ''] = owner.split('/');
const [name = '', namespace = ''] = host.split('@');

/** The number of a process that has ended. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  if (child.pid === undefined) throw new Error('the process was not started');
  return child.pid;
}

test('a process knows itself alive, and one of its host that ended dead', async () => {
  expect(isDead(owner)).toBe(false);
  expect(isDead(`${host}/${await endedPid()}/${start}`)).toBe(true);
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'a number that another process has by now is told by its start',
  () => {
    expect(isDead(`${host}/${pid}/${start}-before`)).toBe(true);
  },
);

test.skipIf(!existsSync('/proc/self/ns/pid'))(
  'a process of another container is never called dead, whatever the name of its host',
  async () => {
    expect(namespace).toMatch(/^\d+$/);
    const ended = await endedPid();
    expect(isDead(`${name}@${Number(namespace) + 1}/${ended}/${start}`)).toBe(false);
    expect(isDead(`${name}@${Number(namespace) + 1}/${pid}/${start}-before`)).toBe(false);
    // As an earlier version wrote it: its lease tells.
    expect(isDead(`${name}/${ended}/${start}`)).toBe(false);
    expect(isDead(`${name}/${pid}/${start}-before`)).toBe(false);
  },
);
