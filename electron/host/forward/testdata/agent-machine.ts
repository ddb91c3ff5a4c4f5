/** An agent of a test as what a virtual machine is to its app: only the way to its SSH server. */
import type { MachineBackend } from '../../machine/machine.ts';
import { nativeEndpoint } from '../../machine/native.ts';

export function agentMachine(agent: { root: string; run: string }): MachineBackend {
  return {
    kind: 'qemu',
    stages: [],
    loginAdvice: '',
    bringUp: async () => ({
      endpoint: nativeEndpoint({ rootDirectory: agent.root, runDirectory: agent.run }),
      lost: new Promise(() => {}),
      stop: async () => {},
    }),
  };
}
