/** What helps a person to fill in a build: folders to choose from, Dockerfiles, and what a Dockerfile asks for. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { defaultLintOptions, Linter } from '../../../agent/dockerfile/linter.ts';
import { parseDockerfile } from '../../../agent/dockerfile/parser.ts';
import { readDockerfile } from '../../../agent/dockerfile/stages.ts';
import type { BuildFolder, DockerfileContents } from '../../contract/builds.ts';

const mostSuggestions = 20;
const mostDockerfiles = 50;
/** Directories below the folder in which Dockerfiles are looked for. */
const mostDirectories = 500;
const deepest = 3;
/** Dockerfiles have a few KiB. */
const longestDockerfileBytes = 1024 ** 2;

export async function folderFacts(request: {
  folder: string;
  dockerfile?: string;
}): Promise<BuildFolder> {
  const typed = withHome(request.folder.trim());
  const suggestions = await foldersLike(typed);
  const problem = await folderProblem(typed);
  if (problem !== undefined) return { problem, suggestions, dockerfiles: [] };
  const dockerfiles = await dockerfilesIn(typed);
  const chosen = request.dockerfile || 'Dockerfile';
  return { suggestions, dockerfiles, ...(await dockerfileFacts(typed, chosen)) };
}

/** Why nothing can be built from it; undefined for a folder. */
export async function folderProblem(folder: string): Promise<string | undefined> {
  if (!isAbsolute(folder)) return `Give the full path of the folder, such as ${homedir()}.`;
  try {
    if ((await stat(folder)).isDirectory()) return undefined;
    return `${folder} is no folder.`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `There is no folder ${folder}.`;
    return code === 'EACCES' ? `You may not read ${folder}.` : message;
  }
}

export const withHome = (path: string): string =>
  path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;

/** The full path of a Dockerfile inside the folder; undefined for one outside of it. */
export function dockerfileIn(folder: string, dockerfile: string): string | undefined {
  const full = resolve(folder, dockerfile);
  const inside = relative(folder, full);
  if (inside === '' || isAbsolute(inside) || inside.split(sep)[0] === '..') return undefined;
  return full;
}

async function foldersLike(typed: string): Promise<string[]> {
  if (!isAbsolute(typed)) return [];
  const parent = typed.endsWith(sep) ? typed : resolve(typed, '..');
  const found = (await entriesOf(parent))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(parent, name))
    .filter((path) => path.startsWith(typed) && path !== typed);
  return found.sort().slice(0, mostSuggestions);
}

const isDockerfile = (name: string): boolean =>
  /^(dockerfile|containerfile)(\.(?!dockerignore$).+)?$/i.test(name) ||
  /\.(dockerfile|containerfile)$/i.test(name);

/** The nearest first, those of the same depth by name. */
async function dockerfilesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  let level = [''];
  for (let [depth, seen] = [0, 0]; depth < deepest && level.length > 0; depth++) {
    const next: string[] = [];
    for (const directory of level) {
      if (++seen > mostDirectories || found.length >= mostDockerfiles) return found;
      const entries = await entriesOf(join(folder, directory));
      for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
        const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
        if (entry.isFile() && isDockerfile(entry.name)) found.push(path);
        else if (entry.isDirectory() && !/^\.|^node_modules$/.test(entry.name)) next.push(path);
      }
    }
    level = next;
  }
  return found.slice(0, mostDockerfiles);
}

async function dockerfileFacts(
  folder: string,
  dockerfile: string,
): Promise<Pick<BuildFolder, 'contents' | 'dockerfileProblem'>> {
  const path = dockerfileIn(folder, dockerfile);
  if (path === undefined) return { dockerfileProblem: `${dockerfile} is not inside ${folder}.` };
  try {
    const facts = await stat(path);
    if (!facts.isFile()) return { dockerfileProblem: `${dockerfile} is no file.` };
    if (facts.size > longestDockerfileBytes)
      return { dockerfileProblem: `${dockerfile} is too long.` };
    return { contents: contentsOf(await readFile(path, 'utf8')) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      dockerfileProblem:
        code === 'ENOENT' ? `There is no file ${dockerfile} in this folder.` : message,
    };
  }
}

/** Throws SourceError for a Dockerfile that makes no sense. */
export function contentsOf(text: string): DockerfileContents {
  const { globalArgs, stages } = readDockerfile(
    parseDockerfile(text),
    // The engine tells the warnings when it builds.
    new Linter(defaultLintOptions, () => {}),
  );
  const instructions = stages.flatMap((stage) => stage.instructions);
  const declared = [...globalArgs, ...instructions.filter((each) => each.kind === 'arg')];
  const args = new Map<string, DockerfileContents['arguments'][number]>();
  for (const { name, value, description } of declared.flatMap((each) => each.args)) {
    const known = args.get(name);
    // `ARG NAME` in a stage only repeats the one before the first FROM.
    if (known === undefined || (known.value === undefined && value !== undefined))
      args.set(name, { name, ...(value !== undefined && { value }), description });
  }
  const mounts = instructions.flatMap((each) => (each.kind === 'run' ? each.mounts : []));
  return {
    stages: stages.map(({ from }) => from.stageName).filter((name) => name !== ''),
    arguments: [...args.values()],
    secrets: [...new Set(mounts.flatMap(secretIn))],
  };
}

/** The id of a secret's mount: `type=secret,id=npmrc`; without one the target's last part. */
function secretIn(mount: string): string[] {
  const fields = new Map(
    mount.split(',').map((field) => {
      const [name = '', ...value] = field.split('=');
      return [name.trim(), value.join('=').trim()];
    }),
  );
  if (fields.get('type') !== 'secret') return [];
  const target = fields.get('target') ?? fields.get('dst') ?? fields.get('destination') ?? '';
  const id = fields.get('id') ?? target.split('/').at(-1) ?? '';
  return id === '' ? [] : [id];
}

/** What cannot be read holds nothing to suggest. */
const entriesOf = (directory: string): Promise<Dirent[]> =>
  readdir(directory, { withFileTypes: true }).catch(() => []);
