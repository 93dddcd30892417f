import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Without "development", which Vite adds: Node resolves packages without it, and two copies of one package
  // (graphql) do not know each other's classes.
  ssr: { resolve: { conditions: ['module', 'node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: [
      'test/support/postgres-server.ts',
      'test/support/mariadb-server.ts',
      'test/support/required-servers.ts',
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
