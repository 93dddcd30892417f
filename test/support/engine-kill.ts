/** Starts {@link file://./engine-child.ts} and waits for it to be killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ChildOrder } from './engine-child.ts';

/** @throws when the process ended in any other way than by SIGKILL */
export async function runKilled(order: ChildOrder): Promise<void> {
  const script = new URL('./engine-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Many children of one suite load the same modules.
    env: { ...process.env, NODE_COMPILE_CACHE: join(order.directory, 'compile-cache') },
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code, signal] = await once(child, 'exit');
  if (signal !== 'SIGKILL')
    throw new Error(`the point "${order.killAt}" was not reached (${code}): ${complaint}`);
}
