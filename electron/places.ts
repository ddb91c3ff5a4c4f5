/** Where things are in this checkout or package, and where a machine keeps its own by default. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export const defaultRootDirectory = '/var/lib/corten';
const defaultRunDirectory = '/run/corten';

/** sockaddr_un's path, with its zero byte (unix(7)). */
const longestSocketPathBytes = 107;

export interface Places {
  agentCommand: string[];
  rendererDirectory: string;
  electronMain: string;
  electronProgram: string;
}

/** `base` is the directory that holds package.json. */
export function placesIn(base: string): Places {
  return {
    agentCommand: [join(base, 'scripts', 'agent')],
    rendererDirectory: join(base, 'dist', 'renderer'),
    electronMain: join(base, 'dist', 'electron', 'main.js'),
    electronProgram: join(base, 'node_modules', 'electron', 'dist', 'electron'),
  };
}

/** Another root brings its own sockets with it, so that two engines never meet. */
export function runDirectoryFor(rootDirectory: string): string {
  if (rootDirectory === defaultRootDirectory) return defaultRunDirectory;
  const directory = join(rootDirectory, 'run');
  if (Buffer.byteLength(join(directory, 'docker.sock')) > longestSocketPathBytes)
    throw new Error(
      `The path ${directory} is too long for a socket. Give a shorter one with --run DIR.`,
    );
  return directory;
}

/** What the app itself remembers. Another root has its own, so that two apps never meet either. */
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
