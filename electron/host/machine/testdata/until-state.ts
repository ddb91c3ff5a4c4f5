import type { MachineState } from '../../../contract/machines.ts';
import type { Machine } from '../machine.ts';

/** The first state of which this is true, from now on. */
export async function untilState(
  machine: Pick<Machine, 'watch'>,
  isIt: (state: MachineState) => boolean,
): Promise<MachineState> {
  const watching = new AbortController();
  try {
    for await (const state of machine.watch(watching.signal)) if (isIt(state)) return state;
  } finally {
    watching.abort();
  }
  throw new Error('the machine is watched no more');
}
