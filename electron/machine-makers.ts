/** How each kind of machine is brought up in this app; both shells wire it. */
import { join } from 'node:path';
import type { MachineEntry } from './contract/machines.ts';
import { nativeForwarding } from './host/forward/forwarding.ts';
import { nativeBackend } from './host/machine/native.ts';
import type { MachinesOptions } from './host/machines/machines.ts';
import { configDirectoryFor, type Places } from './places.ts';

export interface MachinePlaces {
  places: Pick<Places, 'agentCommand'>;
  rootDirectory: string;
  runDirectory: string;
}

/** The Linux that the app itself runs on; plain links lead to it. */
const thisComputer: MachineEntry = { id: 'local', name: 'This computer', kind: 'native' };

export function machinesOptions(where: MachinePlaces): MachinesOptions {
  const { places, rootDirectory, runDirectory } = where;
  const { agentCommand } = places;
  return {
    own: [thisComputer],
    file: join(configDirectoryFor(rootDirectory), 'machines.json'),
    makers: {
      native: () => ({
        backend: nativeBackend({ agentCommand, rootDirectory, runDirectory }),
        forwarding: nativeForwarding({
          apiSocketPath: join(runDirectory, 'docker.sock'),
          contextName: 'corten',
        }),
      }),
    },
  };
}
