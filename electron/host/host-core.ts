/** Everything that the renderer can ask for, once, for both shells. */
import type { ShellFacts } from '../contract/bridge.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import type { Builds } from './builds/builds.ts';
import { folderFacts } from './builds/folder-facts.ts';
import { collectDiagnostics } from './diagnostics/collect.ts';
import type { Machine } from './machine/machine.ts';
import { changeSettings, compact, watchFigures } from './machine/resources.ts';
import type { MachineList } from './machine-list/machines.ts';
import type { FolderList } from './shared-folders/folder-list.ts';
import type { FolderSharing } from './shared-folders/share-folders.ts';
import { openTerminal } from './terminal.ts';

export interface HostCoreOptions {
  machines: MachineList;
  folders: { list: FolderList; sharing: FolderSharing };
  builds: Builds;
  facts: ShellFacts;
  /** Asks with the system's dialog; a shell without one is asked by nobody. */
  chooseFolder?(): Promise<string | undefined>;
  /** Shows a checked http(s) address in the person's browser. */
  openAddress(url: string): Promise<void>;
}

export function createHostCore({
  machines,
  folders,
  builds,
  facts,
  chooseFolder,
  openAddress,
}: HostCoreOptions): HostChannels {
  return {
    requests: {
      'engine.request': async ({ machine, ...request }) =>
        machines.get(machine).engine().request(request),
      'machine.state': async ({ machine }) => machines.get(machine).state(),
      'machine.start': async ({ machine }) => machines.start(machine),
      'machine.stop': async ({ machine, force }) => machines.stop(machine, { force }),
      'machine.answer': async ({ machine, question, answer }) =>
        machines.get(machine).answer(question, answer),
      'machine.rename': async ({ machine, name }) => machines.rename(machine, name),
      'machine.footprint': async ({ machine }) => machines.get(machine).footprint(),
      'machine.remove': async ({ machine, ...removal }) => machines.remove(machine, removal),
      'machine.settings': async ({ machine }) => machines.get(machine).controls?.settings(),
      'machine.change': async ({ machine, settings }) =>
        changeSettings(machines.get(machine), settings),
      'machine.moveTo': async ({ machine, address }) => machines.moveTo(machine, address),
      'machine.choose': async ({ machine, choices }) => machines.choose(machine, choices),
      'machine.diagnostics': async ({ machine }) => {
        const found = machines.get(machine);
        return collectDiagnostics({
          entry: machines.entry(machine),
          state: found.state(),
          facts,
          engine: isUp(found) ? found.engine() : undefined,
          settings: found.controls?.settings(),
          logs: () => found.logs(),
        });
      },
      'machines.add': async (machine) => machines.add(machine),
      'context.state': async ({ machine }) => machines.forwarding(machine).context.state(),
      'context.setUp': async ({ machine, use }) =>
        machines.forwarding(machine).context.setUp({ use }),
      'context.remove': async ({ machine }) => machines.forwarding(machine).context.remove(),
      'folders.add': async (folder) => folders.list.add(folder),
      'folders.remove': async ({ path }) => folders.list.remove(path),
      'build.start': async ({ machine, order }) =>
        builds.start(machine, machines.get(machine).engine(), order),
      'build.cancel': async ({ ref }) => builds.cancel(ref),
      'build.orders': async ({ machine }) => builds.orders.on(machine),
      'build.folder': async (request) => folderFacts(request),
      'shell.facts': async () => facts,
      'shell.chooseFolder': async () => chooseFolder?.(),
      'shell.open': async (url) => openAddress(webAddress(url)),
    },
    streams: {
      'engine.stream': ({ machine, ...request }, signal) =>
        machines.get(machine).engine().stream(request, signal),
      'machines.watch': (_request, signal) => machines.watch(signal),
      'folders.watch': (_request, signal) => folders.sharing.watch(signal),
      'build.watch': ({ ref }, signal) => builds.watch(ref, signal),
      'ports.watch': ({ machine }, signal) => machines.forwarding(machine).watchPorts(signal),
      'machine.figures': ({ machine }, signal) => watchFigures(machines.get(machine), signal),
      'machine.compact': ({ machine }, signal) => compact(machines.get(machine), signal),
    },
    duplexes: {
      'terminal.open': async ({ machine, ...request }, emit) =>
        openTerminal(machines.get(machine).endpoint(), request, emit),
    },
  };
}

function isUp(machine: Machine): boolean {
  return machine.state().status === 'running';
}

/** Any other scheme could start a program on the person's computer. */
function webAddress(text: string): string {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`Only http and https addresses are opened, not "${url.protocol}".`);
  return url.href;
}
