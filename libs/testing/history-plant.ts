/** Planting faults into the example history, for the checker's own specs. */
import type { ServerFrameOf } from '#contract';
import { example } from './history-example.js';
import { checkHistory, type ViolationKind } from './history.js';

export type Example = ReturnType<typeof example>;
export type Plant = (example: Example) => void;

export function kindsAfter(plant: Plant): ViolationKind[] {
  const planted = example();
  plant(planted);
  return [...new Set(checkHistory(planted.history).map(({ kind }) => kind))].sort();
}

/** Where the client is shown the entry. */
export function stepOf({ steps }: Example['ann'], { seq, subject }: Example['at']['hello']): number {
  const room = subject.split('.')[3];
  return steps.findIndex(({ kind, ...rest }) => {
    const frame = kind === 'frame' && 'frame' in rest ? rest.frame : undefined;
    return (frame?.op === 'event' || frame?.op === 'skip') && frame.room === room && frame.seq === seq;
  });
}

export function frameOf(client: Example['ann'], entry: Example['at']['hello']): ServerFrameOf<'event'> {
  const step = client.steps[stepOf(client, entry)];
  if (step?.kind !== 'frame' || step.frame.op !== 'event') throw new Error('the client has no such event');
  return step.frame;
}

export const without = (client: Example['ann'], entry: Example['at']['hello']): void =>
  void client.steps.splice(stepOf(client, entry), 1);
