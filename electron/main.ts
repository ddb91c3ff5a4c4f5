/** Composition root of the desktop shell. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  nativeImage,
  powerMonitor,
  protocol,
  session,
  shell,
  Tray,
} from 'electron';
import { serveLocalSocket } from './browser/local-socket.ts';
import type { ShellFacts } from './contract/bridge.ts';
import { localSocketName } from './contract/local-socket.ts';
import { createHostCore } from './host/host-core.ts';
import { createMachines, type MachineList } from './host/machine-list/machines.ts';
import { openRendererFiles } from './host/renderer-files.ts';
import { machinesOptions, openBuilds, openFolders } from './machine-factories.ts';
import {
  defaultMachine,
  defaultRootDirectory,
  isMachineChoice,
  pathsIn,
  runDirectoryFor,
} from './paths.ts';
import { serveBridge } from './window/bridge-ipc.ts';
import { guardContents, guardSession } from './window/guard.ts';
import { windowOptions } from './window/main-window.ts';
import { menuTemplate } from './window/menu.ts';
import { pageAddress, registerPageScheme, servePage } from './window/page.ts';
import { trayIconPixels, trayTemplate } from './window/tray.ts';

const { values } = parseArgs({
  // The packaged program gets its own words only; `electron main.js …` puts its file before them.
  args: process.argv.slice(app.isPackaged ? 1 : 2),
  options: {
    root: { type: 'string', default: defaultRootDirectory },
    run: { type: 'string' },
    machine: { type: 'string', default: defaultMachine() },
  },
  strict: false,
  allowPositionals: true,
});
const rootDirectory = String(values.root);
const paths = pathsIn(app.getAppPath());
const machine = isMachineChoice(values.machine) ? values.machine : defaultMachine();
const runDirectory =
  typeof values.run === 'string' ? values.run : runDirectoryFor(rootDirectory, machine);
const folders = openFolders(rootDirectory);
const machines = createMachines(
  machinesOptions({
    paths,
    rootDirectory,
    runDirectory,
    machine,
    sharing: folders.sharing,
    power: { isOnBattery: () => powerMonitor.isOnBatteryPower() },
    onHostResume(listener) {
      powerMonitor.on('resume', listener);
      return () => powerMonitor.off('resume', listener);
    },
  }),
);

app.enableSandbox();
registerPageScheme(protocol);
guardContents(app);

// A second start shows the first one's window.
if (app.requestSingleInstanceLock()) void app.whenReady().then(run);
else app.quit();

async function chooseFolder(): Promise<string | undefined> {
  const { filePaths } = await dialog.showOpenDialog({ properties: ['openDirectory'] });
  return filePaths[0];
}

function run(): void {
  guardSession(session.defaultSession);
  servePage(protocol, openRendererFiles(paths.rendererDirectory));
  const host = createHostCore({
    machines,
    folders,
    builds: openBuilds(rootDirectory),
    chooseFolder,
    facts: {
      shell: 'electron',
      platform: process.platform as ShellFacts['platform'],
      version: app.getVersion(),
    },
    openAddress: (url) => shell.openExternal(url),
  });
  serveBridge(ipcMain, host);
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform)));
  const window = openWindow();
  const show = () => {
    window.show();
    window.focus();
  };
  app.on('second-instance', show);
  void keepTray(machines, show);
  serveLocalSocket({
    path: join(runDirectory, localSocketName),
    host,
    facts: { pid: process.pid, version: app.getVersion(), shell: 'electron' },
    open: () => void show(),
  }).then(
    (local) => app.once('will-quit', () => void local.close()),
    // The window works all the same, and shows whatever else is wrong with the directory.
    (error: Error) =>
      process.stderr.write(`The corten command cannot reach this app: ${error.message}\n`),
  );
  machines.startAll();
  quitWith(machines, window);
}

function openWindow(): BrowserWindow {
  const window = new BrowserWindow(windowOptions(join(import.meta.dirname, 'preload.cjs')));
  window.once('ready-to-show', () => {
    window.show();
    process.stdout.write(`ready ${pageAddress}\n`);
  });
  void window.loadURL(pageAddress);
  return window;
}

/** The tray speaks of the first machine, which is this computer's own. */
async function keepTray(machines: MachineList, show: () => void): Promise<void> {
  const size = 32;
  const image = nativeImage.createFromBitmap(trayIconPixels(size), { width: size, height: size });
  const tray = new Tray(image);
  tray.setToolTip('Corten');
  for await (const { machines: all } of machines.watch(new AbortController().signal)) {
    const [first] = all;
    if (first === undefined) continue;
    const actions = {
      show,
      start: () => void machines.start(first.id),
      stop: () =>
        void machines
          .stop(first.id)
          .catch((error: Error) => dialog.showErrorBox(app.getName(), error.message)),
      quit: () => app.quit(),
    };
    tray.setContextMenu(Menu.buildFromTemplate(trayTemplate(first.state.status, actions)));
  }
}

/** Closing the window leaves the app in the tray; quitting stops the agent, and no container. */
function quitWith(machines: MachineList, window: BrowserWindow): void {
  let stopped = false;
  window.on('close', (event) => {
    if (stopped) return;
    event.preventDefault();
    window.hide();
  });
  app.on('before-quit', (event) => {
    if (stopped) return;
    event.preventDefault();
    const quit = () => {
      stopped = true;
      app.quit();
    };
    // A machine that could not be stopped is found by the next start; the app ends all the same.
    machines.stopAll().then(quit, quit);
  });
}
