/** Programs that a test runs, and that a machine may lack. */
import { execFileSync } from 'node:child_process';
import { inject, type TestContext } from 'vitest';

/** Skips where a tool is missing, unless none may be. */
export function needs(context: TestContext, ...commands: string[]): void {
  const absent = commands.find((command) => {
    try {
      execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  if (absent !== undefined && inject('serversRequired')) throw new Error(`${absent} is not installed`);
  context.skip(absent !== undefined, `${absent} is not installed`);
}
