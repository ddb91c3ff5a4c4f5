/** How each kind of machine is brought up in this app; both shells wire it. */
import { join } from 'node:path';
import type { MachineEntry } from './contract/machines.ts';
import { nativeForwarding } from './host/forward/forwarding.ts';
import { guestClock } from './host/machine/guest-clock.ts';
import type { HostPower } from './host/machine/machine.ts';
import { nativeBackend } from './host/machine/native.ts';
import { qemuBackend } from './host/machine/qemu/backend.ts';
import { remoteBackend } from './host/machine/remote/backend.ts';
import type { MachineMaker, MachinesOptions } from './host/machines/machines.ts';
import { forwardingFor } from './machine-forwarding.ts';
import {
  configDirectoryFor,
  type MachineChoice,
  machinesDirectoryFor,
  type Places,
} from './places.ts';
import { bundleFor } from './remote-bundles.ts';

export interface MachinePlaces {
  places: Pick<
    Places,
    'agentCommand' | 'guestImagesDirectory' | 'bundleCommand' | 'bundleDirectory'
  >;
  rootDirectory: string;
  runDirectory: string;
  /** What runs this computer's own engine. */
  machine: MachineChoice;
  power?: HostPower;
  /** Calls back when the computer has woken from its sleep. */
  onHostWake?(listener: () => void): () => void;
}

export function machinesOptions(where: MachinePlaces): MachinesOptions {
  const { rootDirectory, machine } = where;
  /** The one that is always there; plain links lead to it. */
  const thisComputer: MachineEntry = { id: 'local', name: 'This computer', kind: machine };
  return {
    own: [thisComputer],
    file: join(configDirectoryFor(rootDirectory), 'machines.json'),
    makers: {
      ...(machine === 'native' ? { native: nativeMaker(where) } : { qemu: qemuMaker(where) }),
      remote: remoteMaker(where),
    },
  };
}

function nativeMaker({ places, rootDirectory, runDirectory }: MachinePlaces): MachineMaker {
  return () => ({
    backend: nativeBackend({ agentCommand: places.agentCommand, rootDirectory, runDirectory }),
    forwarding: nativeForwarding({
      apiSocketPath: join(runDirectory, 'docker.sock'),
      contextName: 'corten',
    }),
  });
}

function qemuMaker(where: MachinePlaces): MachineMaker {
  const { places, rootDirectory, runDirectory, power, onHostWake } = where;
  return (entry) => ({
    backend: qemuBackend({
      directory: join(machinesDirectoryFor(rootDirectory), entry.id),
      runDirectory: join(runDirectory, entry.id),
      imageDirectory: join(
        places.guestImagesDirectory,
        process.arch === 'arm64' ? 'arm64' : 'amd64',
      ),
    }),
    companions: [guestClock(onHostWake === undefined ? {} : { onWake: onHostWake })],
    ...(power !== undefined && { power }),
    forwarding: forwardingFor(entry, { socketDirectory: runDirectory }),
  });
}

function remoteMaker({ places, rootDirectory }: MachinePlaces): MachineMaker {
  return ({ remote = { host: '' } }) => ({
    backend: remoteBackend({
      address: remote,
      knownHostsFile: join(configDirectoryFor(rootDirectory), 'known_hosts'),
      bundleFor: (architecture) => bundleFor(places, architecture),
    }),
  });
}
