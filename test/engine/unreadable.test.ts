import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { UnreadableReport } from '../support/unreadable-child.ts';

let report: UnreadableReport;

beforeAll(async () => {
  const script = new URL('../support/unreadable-child.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  // The script prints exactly this.
  report = JSON.parse(stdout) as UnreadableReport;
});

describe('a file that may not be read', () => {
  test('is left out of a backup, with a warning that names it', () => {
    expect(report.backup).toEqual({
      status: 'SUCCEEDED',
      error: null,
      warnings: [expect.stringMatching(/^uploads\/secret\.txt was left out: .*permission/)],
    });
  });

  test('stops a restore that has to keep everything it replaces, before anything is changed', () => {
    expect(report.required).toMatchObject({
      status: 'FAILED',
      error: {
        code: 'SOURCE_UNREACHABLE',
        phase: 'PRE_RESTORE_BACKUP',
        message: expect.stringContaining('uploads/secret.txt cannot be kept: it cannot be read'),
      },
    });
    expect(report.afterRequired).toBe('new');
    // Its bytes stand in the message as surrogates; no path may be made of that.
    expect(report.oddName).toMatchObject({ status: 'FAILED', error: { phase: 'PRE_RESTORE_BACKUP' } });
  });

  test('is replaced by a restore that keeps what it can, which says what its snapshot is without', () => {
    expect(report.bestEffort).toEqual({
      status: 'SUCCEEDED',
      error: null,
      warnings: [
        expect.stringMatching(
          /^Snapshot before the restore: uploads\/secret\.txt was left out: .*permission/,
        ),
      ],
    });
    expect(report.afterBestEffort).toBe('old');
  });
});
