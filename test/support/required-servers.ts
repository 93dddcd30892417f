/**
 * Whether a server that tests need may be missing. On a developer's machine its tests are skipped, and say so; with
 * HOLDFAST_TEST_REQUIRE_SERVERS=true (.ci/run) that is a failure. Tests read `inject('serversRequired')`.
 */
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    serversRequired: boolean;
  }
}

const NAME = 'HOLDFAST_TEST_REQUIRE_SERVERS';

/** For what is set up before {@link setup} takes the variable away. */
export function serversAreRequired(): boolean {
  const value = process.env[NAME] ?? 'false';
  // A misspelt value must not turn failures into skips.
  if (value !== 'true' && value !== 'false')
    throw new Error(`${NAME} is "${value}"; set it to true or false.`);
  return value === 'true';
}

/** Comes last: servers that the tests start refuse settings they do not know. */
export default function setup(project: TestProject): void {
  project.provide('serversRequired', serversAreRequired());
  delete process.env[NAME];
}
