/** An agent and containers with limited disks, for what holds on every driver and for each driver's own. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { mountOf, quotaKind } from '../disk/detect.ts';
import { boundLoops } from '../kernel/loop.ts';
import {
  type AgentProcess,
  ask,
  discardAgent,
  dockerCli,
  eventually,
  findTraces,
  makeAgentDirectory,
  startAgent,
  type Traces,
} from './agent-process.ts';

export const image = 'corten/starter';
export const mib = 1024 * 1024;
/** How ext4 and btrfs say that a project, or a qgroup, is full: EDQUOT. XFS says it as it says it of the disk. */
export const quotaExceeded = /Disk quota exceeded/;

export function diskBench(directory = makeAgentDirectory()) {
  let agent: AgentProcess | undefined;
  let empty: Traces | undefined;

  /** The agent that runs now. */
  function current(): AgentProcess {
    if (agent === undefined) throw new Error('no agent was started');
    return agent;
  }

  const docker = () => dockerCli(current().socket);
  const output = (...words: string[]) => docker().output(...words);
  const inside = (name: string, line: string) => docker()('exec', name, 'sh', '-c', line);

  function corten(method: 'GET' | 'POST', path: string, body?: object) {
    // biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose shape they check.
    return ask<any>(current().socket, method, `/corten/v1/${path}`, body);
  }

  /** Loop devices over files of this agent for limits, with the spares that it keeps, by what the kernel shows. */
  const allDevices = () =>
    boundLoops()
      .map(({ number }) => {
        try {
          return readFileSync(`/sys/block/loop${number}/loop/backing_file`, 'utf8').trim();
        } catch {
          // Free again since it was listed.
          return '';
        }
      })
      .filter((path) => path.startsWith(directory) && !path.endsWith('/layers.ext4'));

  /** Those of containers and volumes. */
  const devices = () => allDevices().filter((path) => !path.includes('/disk-forms/'));

  return {
    directory,
    agent: current,
    docker,
    output,
    inside,
    corten,
    allDevices,
    devices,

    /** What limits disks here: the agent chooses by the file system that its state is on. */
    kind(): 'xfs-quota' | 'ext4-quota' | 'loop' {
      const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
      return quotaKind(mountOf(mountinfo, directory)) ?? 'loop';
    },

    /** Starts an agent, or the next one on the same state. */
    async begin(options: string[] = []): Promise<void> {
      agent = await startAgent(directory, options);
    },

    /** Also where no test, and so no agent, was begun. */
    async discard(): Promise<void> {
      if (agent !== undefined) await discardAgent(agent);
      rmSync(directory, { recursive: true, force: true });
    },

    /**
     * What there is now is what must be left by `nothingStays`, but for the links of containers: those of the
     * test before may still be going.
     */
    note(): void {
      const traces = findTraces(current());
      empty = { ...traces, links: traces.links.filter((name) => !name.startsWith('cv')) };
    },

    async nothingStays(): Promise<void> {
      await eventually(() => assert.deepEqual(devices(), []));
      await eventually(() => assert.deepEqual(findTraces(current()), empty));
    },

    /** A container that only waits. */
    async idle(name: string, ...options: string[]): Promise<void> {
      await output(
        ...['run', '-d', '--name', name, '--network', 'none', ...options],
        ...[image, 'sleep', '100000'],
      );
    },

    /** Fills the file system at a path with one file; bytes that went in. */
    async fill(name: string, path: string, refusal = /No space left on device/): Promise<number> {
      const { code, stderr } = await inside(name, `dd if=/dev/zero of=${path} bs=64k`);
      assert.notEqual(code, 0, 'it never became full');
      assert.match(stderr, refusal);
      return Number((await inside(name, `stat -c %s ${path}`)).stdout);
    },

    /** By statfs(2): busybox's df asks any mount of the same device, which may be outside the limit. */
    async available(name: string, path = '/'): Promise<number> {
      const { stdout } = await inside(name, `stat -f -c '%a %S' ${path}`);
      const [blocks = 0, blockBytes = 0] = stdout.trim().split(' ').map(Number);
      return blocks * blockBytes;
    },

    limit: (name: string, disk: object) => corten('POST', `containers/${name}/limits`, { disk }),
  };
}

export function assertNear(
  actual: number,
  expected: number,
  tolerance: number,
  what: string,
): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}

/** Makes files until it is refused, or there are so many. */
export const touch = (count: number, place = '/d') =>
  `mkdir -p ${place}; i=0; while [ $i -lt ${count} ]; do : > ${place}/$i || exit 1; i=$((i+1)); done`;
