/** An agent of a test as what a virtual machine is to its app: only the way to its SSH server. */
import { join } from 'node:path';
import type { MachineBackend } from '../../machine/machine.ts';
import { nativeEndpoint } from '../../native-linux/backend.ts';
import { defaultSettings } from '../../virtual-machine/record.ts';
import { recordedSettings } from '../../virtual-machine/recorded-settings.ts';

export function agentMachine(agent: { root: string; run: string }): MachineBackend {
  return {
    kind: 'qemu',
    stages: [],
    loginAdvice: '',
    controls: () => ({
      ...recordedSettings({
        path: join(agent.root, 'machine.json'),
        defaults: defaultSettings,
        needsRestart: [],
        inForce: () => undefined,
      }),
      figures: async () => ({ disk: { sizeBytes: 0, allocatedBytes: 0 }, snapshotBytes: 0 }),
      async *compact() {},
    }),
    bringUp: async () => ({
      endpoint: nativeEndpoint({ rootDirectory: agent.root, runDirectory: agent.run }),
      lost: new Promise(() => {}),
      stop: async () => {},
    }),
  };
}
