/** Where things are in this checkout or package, and where a machine keeps its own by default. */
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
