/** Composition root of the browser shell: the machines, the host core, and a server for one browser. */
import { join } from 'node:path';
import { serveLocalSocket } from './browser/local-socket.ts';
import { type BrowserShell, serveBrowserShell } from './browser/server.ts';
import { localSocketName } from './contract/local-socket.ts';
import { createHostCore } from './host/host-core.ts';
import { hostPower } from './host/idle-pause/host-power.ts';
import { createMachines } from './host/machine-list/machines.ts';
import { openRendererFiles } from './host/renderer-files.ts';
import { machinesOptions, openBuilds, openFolders } from './machine-factories.ts';
import type { MachineChoice, Paths } from './paths.ts';

export interface BrowserShellOptions {
  paths: Paths;
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
  const { version, runDirectory } = options;
  const host = createHostCore({
    machines,
    folders,
    builds: openBuilds(options.rootDirectory),
    facts: { shell: 'browser', platform: 'linux', version },
    openAddress: async () => {
      throw new Error('The page opens addresses itself in the browser shell.');
    },
  });
  const shell = await serveBrowserShell({
    port: options.port,
    files: openRendererFiles(options.paths.rendererDirectory),
    host,
  });
  const local = await serveLocalSocket({
    path: join(runDirectory, localSocketName),
    host,
    facts: {
      pid: process.pid,
      version,
      shell: 'browser',
      origin: `http://127.0.0.1:${shell.port}`,
    },
    open: shell.freshAddress,
  }).catch((error: Error) => {
    // The page works all the same, and shows whatever else is wrong with the directory.
    process.stderr.write(`The corten command cannot reach this app: ${error.message}\n`);
    return undefined;
  });
  machines.startAll();
  return {
    ...shell,
    async close() {
      await local?.close();
      await shell.close();
      await machines.stopAll();
    },
  };
}
