/** Composition root of the browser shell: the machines, the host core, and a server for one browser. */
import { type BrowserShell, serveBrowserShell } from './browser/server.ts';
import { createHostCore } from './host/host-core.ts';
import { hostPower } from './host/idle-pause/host-power.ts';
import { createMachines } from './host/machine-list/machines.ts';
import { openRendererFiles } from './host/renderer-files.ts';
import { machinesOptions, openFolders } from './machine-makers.ts';
import type { MachineChoice, Places } from './places.ts';

export interface BrowserShellOptions {
  places: Places;
  rootDirectory: string;
  runDirectory: string;
  machine: MachineChoice;
  /** 0: any free one. */
  port: number;
  version: string;
}

/** Serves at once; machines start meanwhile, and the page shows their stages. */
export async function startBrowserShell(options: BrowserShellOptions): Promise<BrowserShell> {
  const folders = openFolders(options.rootDirectory);
  const { sharing } = folders;
  const machines = createMachines(machinesOptions({ ...options, sharing, power: hostPower() }));
  const shell = await serveBrowserShell({
    port: options.port,
    files: openRendererFiles(options.places.rendererDirectory),
    host: createHostCore({
      machines,
      folders,
      facts: { shell: 'browser', platform: 'linux', version: options.version },
      openAddress: async () => {
        throw new Error('The page opens addresses itself in the browser shell.');
      },
    }),
  });
  machines.startAll();
  return {
    ...shell,
    async close() {
      await shell.close();
      await machines.stopAll();
    },
  };
}
