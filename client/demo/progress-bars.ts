/** Draws the phases of a record as they happen: a moving bar on a terminal, one line per phase elsewhere. */
import type { RecordEvent } from '../sdk/index.ts';
import { bar, count, cut, isInteractive, size, styled } from './terminal.ts';

type Phase = RecordEvent['record']['phases'][number];

/** A line that is drawn over must not be wrapped by a narrow terminal. */
const WITHOUT_WRAPPING = '\u001b[?7l';
const WITH_WRAPPING = '\u001b[?7h';

const MARKS: Readonly<Record<Phase['status'], string>> = {
  RUNNING: styled('cyan', '›'),
  SUCCEEDED: styled('green', '✓'),
  FAILED: styled('red', '✗'),
  CANCELED: styled('yellow', '–'),
};

const title = (phase: Phase): string => {
  const words = phase.name.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function counters({ progress }: Phase): string {
  const parts = [
    progress.rows === '0' ? '' : `${count(progress.rows)} rows`,
    progress.files === '0' ? '' : `${count(progress.files)} files`,
    progress.bytes === '0' ? '' : size(progress.bytes),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function duration({ startedAt, finishedAt }: Phase): string {
  if (finishedAt === null) return '';
  return `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(2)} s`;
}

function outlook({ progress }: Phase): string {
  const parts = [
    progress.bytesPerSecond > 0 ? `${size(progress.bytesPerSecond)}/s` : '',
    (progress.etaSeconds ?? 0) < 1 ? '' : `${Math.ceil(progress.etaSeconds ?? 0)} s left`,
    progress.currentItem === null ? '' : cut(progress.currentItem, 30),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** One drawing for one record. */
export class ProgressBars {
  /** Indexes of the phases whose last word is written. */
  readonly #written = new Set<number>();

  /** Shows what an event tells. */
  show({ record }: RecordEvent): void {
    for (const phase of record.phases) {
      if (this.#written.has(phase.index) || phase.status === 'RUNNING') continue;
      this.#written.add(phase.index);
      this.#clear();
      process.stdout.write(`${this.#line(phase)}\n`);
    }
    const running = record.phases.findLast(({ status }) => status === 'RUNNING');
    if (!isInteractive || running === undefined) return;
    this.#clear();
    process.stdout.write(WITHOUT_WRAPPING + this.#line(running) + WITH_WRAPPING);
  }

  /** Leaves the terminal as an ordinary line would. */
  end(): void {
    this.#clear();
  }

  #clear(): void {
    if (isInteractive) process.stdout.write('\r\u001b[2K');
  }

  #line(phase: Phase): string {
    const done = phase.status === 'RUNNING' ? (phase.progress.fraction ?? 0) : 1;
    const after = phase.status === 'RUNNING' ? outlook(phase) : duration(phase);
    const text = [counters(phase), styled('dim', after)].filter((part) => part !== '').join('  ');
    return `   ${MARKS[phase.status]} ${title(phase).padEnd(19)} ${bar(done)} ${String(Math.floor(done * 100)).padStart(3)} %  ${text}`;
  }
}
