/** Composition root of the browser shell: the machine, the host core, and a server for one browser. */
import { type BrowserShell, serveBrowserShell } from './browser/server.ts';
import { createHostCore } from './host/host-core.ts';
import { createMachine } from './host/machine/lifecycle.ts';
import { nativeBackend } from './host/machine/native.ts';
import { openRendererFiles } from './host/renderer-files.ts';
import type { Places } from './places.ts';

export interface BrowserShellOptions {
  places: Places;
  rootDirectory: string;
  runDirectory: string;
  /** 0: any free one. */
  port: number;
  version: string;
}

/** Serves at once; the machine starts meanwhile, and the page shows its stages. */
export async function startBrowserShell(options: BrowserShellOptions): Promise<BrowserShell> {
  const machine = createMachine({
    backend: nativeBackend({
      agentCommand: options.places.agentCommand,
      rootDirectory: options.rootDirectory,
      runDirectory: options.runDirectory,
    }),
  });
  const shell = await serveBrowserShell({
    port: options.port,
    files: openRendererFiles(options.places.rendererDirectory),
    host: createHostCore({
      machine,
      facts: { shell: 'browser', platform: 'linux', version: options.version },
      openAddress: async () => {
        throw new Error('The page opens addresses itself in the browser shell.');
      },
    }),
  });
  void machine.start();
  return {
    ...shell,
    async close() {
      await shell.close();
      await machine.stop();
    },
  };
}
