/** Constructs each kind of machine, for both shells. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { defaultChoices, type MachineEntry } from './contract/machines.ts';
import { appleBackend } from './host/apple-virtualization/backend.ts';
import { type Builds, createBuilds } from './host/builds/builds.ts';
import { openOrderList } from './host/builds/order-list.ts';
import { nativeForwarding } from './host/forwarding/forwarding.ts';
import { guestClock } from './host/host-settings/guest-clock.ts';
import type { HostPower } from './host/idle-pause/host-power.ts';
import type { Companion } from './host/machine/machine.ts';
import { Toggle } from './host/machine/toggle.ts';
import type { MachineFactory, MachinesOptions } from './host/machine-list/machines.ts';
import { nativeBackend } from './host/native-linux/backend.ts';
import { qemuBackend } from './host/qemu/backend.ts';
import { remoteBackend } from './host/remote-host/backend.ts';
import { foldersDirectory } from './host/remote-host/paths.ts';
import { openFolderList } from './host/shared-folders/folder-list.ts';
import { createFolderSharing, type FolderSharing } from './host/shared-folders/share-folders.ts';
import { wslBackend } from './host/wsl/backend.ts';
import { shippedRoot } from './host/wsl/root-image.ts';
import { loadWslApi } from './host/wsl/wslapi.ts';
import { forwardingFor } from './machine-forwarding.ts';
import {
  configDirectoryFor,
  type MachineChoice,
  machinesDirectoryFor,
  type Paths,
} from './paths.ts';
import { bundleFor } from './remote-bundles.ts';

export interface MachineFactoryOptions {
  paths: Pick<Paths, 'agentCommand' | 'guestImagesDirectory' | 'bundleCommand' | 'bundleDirectory'>;
  rootDirectory: string;
  runDirectory: string;
  /** The kind of machine that runs this computer's own engine. */
  machine: MachineChoice;
  /** Gives a VM the folders of this computer. */
  sharing: FolderSharing;
  power?: HostPower;
  /** Calls the listener after the computer has resumed from sleep. */
  onHostResume?(listener: () => void): () => void;
}

/** The shared folders of this computer; all its machines have the same list. */
export function openFolders(rootDirectory: string) {
  const list = openFolderList(join(configDirectoryFor(rootDirectory), 'folders.json'));
  return { list, sharing: createFolderSharing({ list }) };
}

/** The builds that this app has started on any machine. */
export const openBuilds = (rootDirectory: string): Builds =>
  createBuilds(openOrderList(join(configDirectoryFor(rootDirectory), 'builds.json')));

export function machinesOptions(where: MachineFactoryOptions): MachinesOptions {
  const { rootDirectory, machine } = where;
  /** This machine always exists, and links without a machine id lead to it. */
  const thisComputer: MachineEntry = { id: 'local', name: 'This computer', kind: machine };
  return {
    own: [thisComputer],
    file: join(configDirectoryFor(rootDirectory), 'machines.json'),
    factories: { [machine]: factories[machine](where), remote: remoteFactory(where) },
  };
}

const factories: Record<MachineChoice, (where: MachineFactoryOptions) => MachineFactory> = {
  native: nativeFactory,
  qemu: qemuFactory,
  wsl2: wslFactory,
  apple: appleFactory,
};

function nativeFactory({
  paths,
  rootDirectory,
  runDirectory,
}: MachineFactoryOptions): MachineFactory {
  return () => ({
    backend: nativeBackend({ agentCommand: paths.agentCommand, rootDirectory, runDirectory }),
    forwarding: nativeForwarding({
      apiSocketPath: join(runDirectory, 'docker.sock'),
      contextName: 'corten',
    }),
  });
}

/** The companions of every virtual machine. */
function guestCompanions({ onHostResume, sharing }: MachineFactoryOptions): readonly Companion[] {
  return [
    guestClock(onHostResume === undefined ? {} : { onHostResume: onHostResume }),
    sharing.companion,
  ];
}

function qemuFactory(where: MachineFactoryOptions): MachineFactory {
  const { paths, rootDirectory, runDirectory, power } = where;
  return (entry) => ({
    backend: qemuBackend({
      directory: join(machinesDirectoryFor(rootDirectory), entry.id),
      runDirectory: join(runDirectory, entry.id),
      imageDirectory: join(
        paths.guestImagesDirectory,
        process.arch === 'arm64' ? 'arm64' : 'amd64',
      ),
    }),
    companions: guestCompanions(where),
    ...(power !== undefined && { power }),
    forwarding: forwardingFor(entry, { socketDirectory: runDirectory }),
  });
}

function appleFactory(where: MachineFactoryOptions): MachineFactory {
  const { paths, rootDirectory, runDirectory, power } = where;
  return (entry) => ({
    backend: appleBackend({
      directory: join(machinesDirectoryFor(rootDirectory), entry.id),
      runDirectory: join(runDirectory, entry.id),
      imageDirectory: join(paths.guestImagesDirectory, 'arm64'),
      agentArguments: ['--machine'],
    }),
    companions: guestCompanions(where),
    ...(power !== undefined && { power }),
    forwarding: forwardingFor(entry, { socketDirectory: runDirectory }),
  });
}

function wslFactory(where: MachineFactoryOptions): MachineFactory {
  const { paths, rootDirectory, runDirectory } = where;
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return (entry) => ({
    backend: wslBackend({
      // Not by PATH: a program of that name in the current folder is not asked.
      wsl: [join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', 'wsl.exe')],
      api: loadWslApi(),
      name: entry.id === 'local' ? 'corten' : `corten-${entry.id}`,
      directory: join(machinesDirectoryFor(rootDirectory), entry.id),
      image: shippedRoot(join(paths.guestImagesDirectory, architecture)),
      hostname: 'corten',
      agentArguments: ['--machine'],
    }),
    companions: guestCompanions(where),
    forwarding: forwardingFor(entry, { socketDirectory: runDirectory }),
  });
}

/** Another computer has its own clock, DNS, proxies and time zone, so those companions are left out. */
function remoteFactory(where: MachineFactoryOptions): MachineFactory {
  const { paths, rootDirectory, runDirectory, sharing } = where;
  return (entry) => {
    const { remote = { host: '' }, choices: chosen = defaultChoices } = entry;
    const choices = {
      portsHere: new Toggle(chosen.portsHere),
      foldersThere: new Toggle(chosen.foldersThere),
    };
    const foldersAt = foldersDirectory(hostname(), entry.id);
    const backend = remoteBackend({
      address: remote,
      knownHostsFile: join(configDirectoryFor(rootDirectory), 'known_hosts'),
      bundleFor: (architecture) => bundleFor(paths, architecture),
    });
    return {
      backend,
      moveTo: backend.moveTo,
      companions: [
        (machine) =>
          sharing.companionBelow({ at: foldersAt, chosen: choices.foldersThere }, machine),
      ],
      forwarding: forwardingFor(entry, {
        socketDirectory: runDirectory,
        ports: choices.portsHere,
      }),
      choices,
      foldersAt,
    };
  };
}
