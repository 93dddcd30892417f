import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import { Mailbox } from '../../src/events/mailbox.ts';
import type { RecordEvent } from '../../src/events/record-event.ts';
import { aPhase } from './support.ts';

// A mailbox looks at the id alone.
const record = { id: 'r' } as RecordRow;
const occurredAt = new Date();

const state = (sequence: number): RecordEvent => ({ type: 'RECORD_SNAPSHOT', sequence, occurredAt, record });
const tick = (sequence: number, phase: number, rows: number): RecordEvent => ({
  type: 'PHASE_PROGRESSED',
  sequence,
  occurredAt,
  record,
  phase: aPhase(phase, rows),
});

function drain(mailbox: Mailbox): RecordEvent[] {
  const all: RecordEvent[] = [];
  for (let event = mailbox.take(); event !== undefined; event = mailbox.take()) all.push(event);
  return all;
}

test('state events stay in order, of each phase only the newest tick waits, and it stands where it was put', () => {
  const put = fc.record({ tick: fc.boolean(), phase: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 200 }), (puts) => {
      const mailbox = new Mailbox();
      const all = puts.map(({ tick: isTick, phase }, i) => (isTick ? tick(i, phase, i) : state(i)));
      for (const event of all) mailbox.put(event);
      const expected = all.filter((event, i) => {
        if (event.type !== 'PHASE_PROGRESSED') return true;
        const { index } = event.phase;
        return !all
          .slice(i + 1)
          .some((later) => later.type === 'PHASE_PROGRESSED' && later.phase.index === index);
      });
      expect(drain(mailbox)).toEqual(expected);
    }),
  );
});

test('it never holds more than its limit: it forgets everything, says so once, and goes on', () => {
  const mailbox = new Mailbox(10);
  for (let i = 0; i < 10_000; i += 1) {
    mailbox.put(state(i));
    expect(mailbox.size).toBeLessThanOrEqual(10);
  }
  expect(mailbox.take()).toBeUndefined();
  expect(mailbox.takeOverflow()).toBe(true);
  expect(mailbox.takeOverflow()).toBe(false);
  mailbox.put(state(7));
  expect(drain(mailbox)).toEqual([state(7)]);
});

test('a million ticks of one phase take one place', () => {
  const mailbox = new Mailbox(10);
  for (let i = 0; i < 1_000_000; i += 1) mailbox.put(tick(1, 0, i));
  expect(drain(mailbox)).toEqual([tick(1, 0, 999_999)]);
});

test('whoever waits is woken by an event and by closing', async () => {
  const mailbox = new Mailbox();
  const arrived = mailbox.arrival();
  mailbox.put(state(1));
  await arrived;
  await mailbox.arrival();
  drain(mailbox);
  const closed = mailbox.arrival();
  mailbox.close();
  await closed;
  mailbox.put(state(2));
  expect(mailbox.size).toBe(0);
  await mailbox.arrival();
});
