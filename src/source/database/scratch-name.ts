import { HoldfastError } from '../../errors.ts';

/** Passes a name that only a drill gives to a database. @throws HoldfastError INTERNAL for any other */
export function checkScratchName(name: string): void {
  if (/^holdfast_drill_[0-9a-z]{8,40}$/.test(name)) return;
  throw new HoldfastError('INTERNAL', 'This is no name of a scratch database.');
}
