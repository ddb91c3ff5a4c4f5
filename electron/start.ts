/** `scripts/start` after its set-up: opens the app's window, or serves it to a local browser. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowserShell } from './browser-shell.ts';
import {
  defaultMachine,
  defaultRootDirectory,
  isMachineChoice,
  type MachineChoice,
  machineChoices,
  pathsIn,
  runDirectoryFor,
} from './paths.ts';

const base = join(import.meta.dirname, '..');
interface StartOptions {
  open: boolean;
  port: number;
  rootDirectory: string;
  runDirectory: string;
  machine: MachineChoice;
}

try {
  await start(readOptions(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`start: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

async function start(options: StartOptions): Promise<void> {
  const paths = pathsIn(base);
  if (options.open && canShowWindow(paths.electronProgram, paths.electronMain))
    openWindow(paths.electronProgram, paths.electronMain, options);
  else {
    const { version } = JSON.parse(readFileSync(join(base, 'package.json'), 'utf8'));
    const shell = await startBrowserShell({ ...options, paths, version });
    stopOnSignal(() => shell.close());
    process.stdout.write(`ready ${shell.address}\n`);
    if (options.open) openBrowser(shell.address);
  }
}

/** Electron's sandbox does not run as root, and the app is not started without its sandbox. */
function canShowWindow(program: string, main: string): boolean {
  return process.getuid?.() !== 0 && hasDisplay() && existsSync(program) && existsSync(main);
}

function hasDisplay(): boolean {
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

function openWindow(program: string, main: string, options: StartOptions): void {
  const { rootDirectory, runDirectory, machine } = options;
  const words = ['--root', rootDirectory, '--run', runDirectory, '--machine', machine];
  // The window prints the ready line itself, once it shows.
  const child = spawn(program, [main, ...words], { stdio: 'inherit' });
  stopOnSignal(async () => void child.kill('SIGTERM'));
  child.once('exit', (code) => process.exit(code ?? 1));
}

function openBrowser(address: string): void {
  if (!hasDisplay()) return;
  const opener = spawn('xdg-open', [address], { stdio: 'ignore', detached: true });
  // Nothing to open it with: the address has been printed.
  opener.on('error', () => {});
  opener.unref();
}

function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      stop().then(
        () => process.exit(0),
        (error: Error) => {
          process.stderr.write(`start: ${error.message}\n`);
          process.exit(1);
        },
      );
    });
}

/** `scripts/start --help` describes them. Throws an Error that names the option which makes no sense. */
function readOptions(words: string[]): StartOptions {
  const { values } = parseArgs({
    args: words,
    options: {
      'no-open': { type: 'boolean', default: false },
      port: { type: 'string', default: '0' },
      root: { type: 'string', default: defaultRootDirectory },
      run: { type: 'string' },
      machine: { type: 'string', default: defaultMachine() },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`--port takes a number from 0 to 65535, not "${values.port}".`);
  const { machine } = values;
  if (!isMachineChoice(machine))
    throw new Error(`--machine takes ${machineChoices.join(', ')}, not "${machine}".`);
  const rootDirectory = resolve(values.root);
  const runDirectory =
    values.run === undefined ? runDirectoryFor(rootDirectory, machine) : resolve(values.run);
  return { open: !values['no-open'], port, rootDirectory, runDirectory, machine };
}
