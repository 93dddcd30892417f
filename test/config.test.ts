import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';

describe('without any setting', () => {
  test('the server listens on this host alone, and lets nothing be backed up', () => {
    expect(readConfig({})).toMatchObject({ host: '127.0.0.1', port: 4400, roots: [], development: false });
  });
});

describe('a setting', () => {
  test('that is no setting is refused by its name', () => {
    expect(() => readConfig({ HOLDFAST_ROOT: '/srv' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('HOLDFAST_ROOT is no setting'),
        hint: expect.stringContaining('HOLDFAST_ROOTS'),
      }),
    );
  });

  test.each([
    ['HOLDFAST_PORT', '65536'],
    ['HOLDFAST_PORT', 'http'],
    ['HOLDFAST_PUBLIC_URL', 'ftp://user:hunter2@example.org'],
    ['HOLDFAST_UPLOAD_LIMIT_BYTES', '-1'],
    ['HOLDFAST_DEVELOPMENT', 'yes'],
    ['HOLDFAST_LOG_LEVEL', 'loud'],
    ['HOLDFAST_ROOTS', '/srv:relative'],
  ])('%s=%s is refused by its name', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(name) }),
    );
  });

  test('may hold a secret, so its value is in no refusal', () => {
    const { message, hint } = refusal({ HOLDFAST_PUBLIC_URL: 'ftp://user:hunter2@example.org' });
    expect(`${message} ${hint}`).not.toContain('hunter2');
  });

  test('with several roots takes each', () => {
    expect(readConfig({ HOLDFAST_ROOTS: '/srv/app:/var/lib/app/' }).roots).toEqual([
      '/srv/app',
      '/var/lib/app',
    ]);
  });
});

function refusal(environment: NodeJS.ProcessEnv): { message: string; hint?: string } {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it was not refused');
}
