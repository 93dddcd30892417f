/** What must not happen between the look whether a source is free and the step that takes or changes it. */

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `work` when everything given before has ended, one after the other within this process: so two restores at
 * once cannot both see a free lock, and a source cannot change while a restore of it is admitted.
 */
export async function admit<T>(work: () => Promise<T>): Promise<T> {
  const admitted = last.then(work);
  last = admitted.catch(() => undefined);
  return await admitted;
}
