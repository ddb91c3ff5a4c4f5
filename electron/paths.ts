/** Paths in this checkout or package, and the default directories of engine and machines. */
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeDirectories } from './host/native-linux/directories.ts';

const defaults = nativeDirectories();
export const defaultRootDirectory = defaults.root;
const defaultRunDirectory = defaults.run;

/** A sockaddr_un has 108 bytes for the path and its zero byte (unix(7)). */
const longestSocketPathBytes = 107;

export interface Paths {
  agentCommand: string[];
  rendererDirectory: string;
  /** Prints the manifest of the bundle for remote hosts; a checkout builds it first. */
  bundleCommand: string[];
  bundleDirectory: string;
  electronMain: string;
  electronProgram: string;
  /** Guest images of virtual machines, one directory for each architecture. */
  guestImagesDirectory: string;
}

/** `base` is the directory that holds package.json. */
export function pathsIn(base: string): Paths {
  return {
    agentCommand: [join(base, 'scripts', 'agent')],
    bundleCommand: [join(base, 'scripts', 'remote-bundle')],
    bundleDirectory: join(base, 'dist', 'remote'),
    rendererDirectory: join(base, 'dist', 'renderer'),
    electronMain: join(base, 'dist', 'electron', 'main.js'),
    electronProgram: join(base, 'node_modules', 'electron', 'dist', 'electron'),
    guestImagesDirectory: join(base, 'dist', 'vm-image'),
  };
}

/** Another root directory has its own sockets, so that two engines never share one. Throws for a path that is too long. */
export function runDirectoryFor(rootDirectory: string, machine: MachineChoice = 'native'): string {
  if (rootDirectory === defaultRootDirectory)
    return machine === 'native' || process.getuid?.() === 0
      ? defaultRunDirectory
      : userRunDirectory();
  const directory = join(rootDirectory, 'run');
  if (Buffer.byteLength(join(directory, 'docker.sock')) > longestSocketPathBytes)
    throw new Error(
      `The path ${directory} is too long for a socket. Give a shorter one with --run DIR.`,
    );
  return directory;
}

/** The app's own configuration. Another root directory has its own, so that two apps never share one. */
export function configDirectoryFor(
  rootDirectory: string,
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (rootDirectory !== defaultRootDirectory) return join(rootDirectory, 'app');
  const home = homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Corten');
  if (platform === 'win32')
    return join(environment.APPDATA ?? join(home, 'AppData', 'Roaming'), 'Corten');
  return join(environment.XDG_CONFIG_HOME || join(home, '.config'), 'corten');
}

export const machineChoices = ['native', 'qemu', 'wsl2', 'apple'] as const;
export type MachineChoice = (typeof machineChoices)[number];

export function isMachineChoice(word: unknown): word is MachineChoice {
  return machineChoices.some((choice) => choice === word);
}

/**
 * The system's own virtualization is faster than QEMU. Linux itself runs the engine, for an ordinary
 * user too (docs/decisions/0014-without-root.md). Apple's framework boots our kernel on Apple silicon only.
 */
export function defaultMachine(
  platform: NodeJS.Platform = process.platform,
  architecture: NodeJS.Architecture = process.arch,
): MachineChoice {
  if (platform === 'win32') return 'wsl2';
  if (platform === 'darwin' && architecture === 'arm64') return 'apple';
  return platform === 'linux' ? 'native' : 'qemu';
}

/** Where virtual machines keep their disks and settings. */
export function machinesDirectoryFor(rootDirectory: string): string {
  const isOurs = rootDirectory !== defaultRootDirectory || process.getuid?.() === 0;
  return join(isOurs ? rootDirectory : configDirectoryFor(rootDirectory), 'machines');
}

/** The sockets of an ordinary user; a short path, as a socket needs. */
function userRunDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { XDG_RUNTIME_DIR: own } = environment;
  return own ? join(own, 'corten') : join(tmpdir(), `corten-${process.getuid?.() ?? 'app'}`);
}
