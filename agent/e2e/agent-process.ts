/** A real agent with a state of its own, for tests that drive it from outside. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { deviceNames, suffixOf } from '../network/device-names.ts';
import { patienceMs } from './patience.ts';

const repository = resolve(import.meta.dirname, '../..');

export interface AgentProcess {
  directory: string;
  root: string;
  run: string;
  socket: string;
  ssh: string;
  pid: number;
  /** Ends the process with a signal and waits until it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Where one agent, and those started after it on the same state, live. */
export function makeAgentDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'corten-e2e-'));
  mkdirSync(join(directory, 'root'));
  return directory;
}

/** `launcher`: words before the program, which becomes what they start, such as `unshare --net`. */
export async function startAgent(
  directory: string,
  options: string[] = [],
  launcher: string[] = [],
  // An ordinary user's begins with another program.
  entry = 'agent/main.ts',
): Promise<AgentProcess> {
  const [root, run] = [join(directory, 'root'), join(directory, 'run')];
  const [program = '', ...words] = [...launcher, process.execPath];
  const child = spawn(
    program,
    [
      ...words,
      '--disable-warning=ExperimentalWarning',
      join(repository, entry),
      ...['--root', root, '--run', run, ...options],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const { socket, ssh } = await readyLine(child);
  return {
    directory,
    root,
    run,
    socket,
    ssh,
    pid: child.pid ?? 0,
    end: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((ended) => child.once('exit', ended));
      child.kill(signal);
      await gone;
    },
  };
}

function readyLine(child: ChildProcess): Promise<{ socket: string; ssh: string }> {
  let complaints = '';
  child.stderr?.on('data', (text) => {
    complaints += text;
  });
  return new Promise((ready, reject) => {
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${complaints}`)));
    if (child.stdout === null) throw new Error('the agent has no output');
    createInterface(child.stdout).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.event === 'ready') ready(message);
    });
  });
}

/** Removes every container and ends the agent; of one that has ended already nothing is asked. */
export async function endWithContainers(agent: AgentProcess): Promise<void> {
  const docker = dockerCli(agent.socket);
  const { stdout } = await docker('ps', '-aq');
  const ids = stdout.split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker('rm', '-f', '-v', ...ids);
  await agent.end();
}

/** The same, and takes its directory away. */
export async function discardAgent(agent: AgentProcess): Promise<void> {
  await endWithContainers(agent);
  rmSync(agent.directory, { recursive: true, force: true });
}

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface DockerCli {
  (...words: string[]): Promise<CliResult>;
  /** The same with text on its standard input. */
  withInput(input: string, ...words: string[]): Promise<CliResult>;
  /** Trimmed standard output of a command that must succeed. */
  output(...words: string[]): Promise<string>;
}

/** The real `docker` CLI against a socket; never throws for an exit code, since codes are tested. */
export function dockerCli(socket: string): DockerCli {
  const call = (input: string | undefined, words: string[]) =>
    new Promise<CliResult>((done) => {
      const child = execFile(
        'docker',
        ['-H', `unix://${socket}`, ...words],
        {
          timeout: 2 * patienceMs,
          maxBuffer: 64 * 1024 * 1024,
          env: { ...process.env, DOCKER_CONFIG: join(tmpdir(), 'corten-e2e-no-config') },
        },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          done({ code, stdout, stderr });
        },
      );
      // A command that does not read may end first; its exit code and words are what is tested.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input ?? '');
    });
  const docker: DockerCli = Object.assign((...words: string[]) => call(undefined, words), {
    withInput: (input: string, ...words: string[]) => call(input, words),
    output: async (...words: string[]) => {
      const { code, stdout, stderr } = await call(undefined, words);
      assert.equal(code, 0, `docker ${words.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
  });
  return docker;
}

/** One request to an agent's API, with a JSON body if one is given; `body` is the JSON answer, if any. */
export function ask<T>(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T }> {
  return new Promise((done, reject) => {
    const headers = { 'content-type': 'application/json' };
    const outgoing = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          body: text === '' ? undefined : JSON.parse(text),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export { eventually } from './until.ts';

/** What a container leaves on a machine when something forgets to undo it. */
export interface Traces {
  mounts: string[];
  links: string[];
  cgroups: string[];
  shims: number;
  directories: string[];
}

/** Everything that belongs to one agent's containers, for comparing before and after. */
export function findTraces(agent: AgentProcess): Traces {
  const names = deviceNames(suffixOf(agent.root));
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => point.startsWith(agent.directory) && point !== `${agent.root}/layers`)
      .sort(),
    links: readFileSync('/proc/self/net/dev', 'utf8')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0]?.trim() ?? '')
      .filter((name) => names.isBridge(name) || names.isVeth(name) || names.isShaper(name))
      .sort(),
    cgroups: findCgroups(agent).sort(),
    shims: countProcesses('corten-shim', agent),
    directories: ['root/containers', 'run/containers', 'root/volumes']
      .flatMap((place) => list(join(agent.directory, place)).map((name) => `${place}/${name}`))
      .sort(),
  };
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Not made yet: nothing is in it.
    return [];
  }
}

/** Of this agent alone: others on the machine make and remove theirs meanwhile. */
function findCgroups({ root }: AgentProcess): string[] {
  const top = '/sys/fs/cgroup';
  // With v2 the agent's group lies in the top itself, with v1 in each hierarchy.
  return [top, ...list(top).map((name) => join(top, name))]
    .map((hierarchy) => join(hierarchy, `corten-${suffixOf(root)}`))
    .flatMap((parent) => list(parent).map((name) => join(parent, name)))
    .filter((path) => /\/[0-9a-f]{64}$/.test(path));
}

/** Shims whose open files lie in this agent's directories; those of other agents do not count. */
function countProcesses(name: string, agent: AgentProcess): number {
  return list('/proc').filter((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(name)) return false;
      return list(`/proc/${pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(agent.directory),
      );
    } catch {
      // Not a process, or one that has just ended.
      return false;
    }
  }).length;
}
