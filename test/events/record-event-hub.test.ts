import { expect, test } from 'vitest';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import type { RecordEvent } from '../../src/events/record-event.ts';
import { RecordEventHub } from '../../src/events/record-event-hub.ts';

function event(workspaceId: string, id: string): RecordEvent {
  // A hub looks at these two alone.
  const record = { workspaceId, id } as RecordRow;
  return { type: 'RECORD_SNAPSHOT', sequence: 1, occurredAt: new Date(), record };
}

test('a listener hears its record or its workspace, and nothing of another workspace', () => {
  const hub = new RecordEventHub(() => {});
  const heard: string[] = [];
  hub.listen('w', undefined, ({ record }) => heard.push(`workspace ${record.id}`));
  hub.listen('w', 'r', ({ record }) => heard.push(`record ${record.id}`));
  hub.listen('other', 'r', () => heard.push('other'));
  hub.listen('other', undefined, () => heard.push('other'));
  hub.publish(event('w', 'r'));
  hub.publish(event('w', 's'));
  expect(heard).toEqual(['workspace r', 'record r', 'workspace s']);
});

test('a listener that throws hurts neither the publisher nor the others', () => {
  const faults: unknown[] = [];
  const hub = new RecordEventHub((error) => faults.push(error));
  let heard = 0;
  hub.listen('w', 'r', () => {
    throw new Error('broken');
  });
  hub.listen('w', 'r', () => {
    heard += 1;
  });
  hub.publish(event('w', 'r'));
  expect([heard, faults.length]).toEqual([1, 1]);
});

test('a listener that stops hears nothing more, and only it; stopping twice is harmless', () => {
  const hub = new RecordEventHub(() => {});
  let heard = 0;
  const deliver = () => {
    heard += 1;
  };
  const stop = hub.listen('w', 'r', deliver);
  const stopAgain = hub.listen('w', 'r', deliver);
  stop();
  stop();
  hub.publish(event('w', 'r'));
  expect([heard, hub.listenerCount]).toEqual([1, 1]);
  stopAgain();
  expect(hub.listenerCount).toBe(0);
});
