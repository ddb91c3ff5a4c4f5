/**
 * Every limit in the kernel's own files, on whichever version this machine has: asked for before the
 * start, changed while it runs, taken away, and still away after a restart. That each holds against a
 * program is for corten-limits, limits and disk, which also have those that are not of a group.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { IoDeviceLimits, Limits } from '../contract/limits.ts';
import { suffixOf } from '../network/device-names.ts';
import {
  type AgentProcess,
  ask,
  type DockerCli,
  discardAgent,
  dockerCli,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
const MiB = 1024 * 1024;
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

const isV1 = existsSync('/sys/fs/cgroup/memory');

/** What a file of a group holds at first, after the change, and when the limit is gone. */
type Row = [file: string, first: string, then: string, cleared: string];

interface Case {
  what: string;
  limits: [first: Limits, then: Limits, cleared: Limits];
  v1: Row[];
  v2: Row[];
  /** Files that not every kernel has: without it the row is left out. */
  optional?: string[];
}

const top = '/sys/fs/cgroup';
const read = (path: string) => readFileSync(path, 'utf8').trim();
const allCpus = read(isV1 ? `${top}/cpuset/cpuset.cpus` : `${top}/cpuset.cpus.effective`);
const unlimitedV1 = '9223372036854771712';
const wholePages = (bytes: number) => Math.floor(bytes / 4096) * 4096;
/** Seven eighths of what the floor leaves to all containers (docs/decisions/0019). */
const leftToOne = `${wholePages((wholePages(totalmem() - Math.min(totalmem() / 8, 8 * 1024 * MiB)) * 7) / 8)}`;
const cases: Case[] = [
  {
    what: 'CPU quota, burst and shares',
    limits: [
      { cpu: { quotaMicros: 50_000, periodMicros: 100_000, burstMicros: 20_000, shares: 2 } },
      { cpu: { quotaMicros: 30_000, periodMicros: 50_000, burstMicros: 10_000, shares: 262_144 } },
      { cpu: { quotaMicros: null, periodMicros: null, burstMicros: null, shares: null } },
    ],
    v1: [
      ['cpu/cpu.cfs_quota_us', '50000', '30000', '-1'],
      ['cpu/cpu.cfs_period_us', '100000', '50000', '100000'],
      ['cpu/cpu.cfs_burst_us', '20000', '10000', '0'],
      ['cpu/cpu.shares', '2', '262144', '1024'],
    ],
    v2: [
      ['cpu.max', '50000 100000', '30000 50000', 'max 100000'],
      ['cpu.max.burst', '20000', '10000', '0'],
      ['cpu.weight', '1', '10000', '100'],
    ],
  },
  {
    what: 'CPU set',
    limits: [{ cpu: { cpus: '0' } }, { cpu: { cpus: '1' } }, { cpu: { cpus: null } }],
    v1: [['cpuset/cpuset.cpus', '0', '1', allCpus]],
    v2: [['cpuset.cpus.effective', '0', '1', allCpus]],
  },
  {
    what: 'memory, swap and reservation',
    limits: [
      { memory: { maxBytes: 64 * MiB, maxWithSwapBytes: 80 * MiB, reservationBytes: 16 * MiB } },
      { memory: { maxBytes: 96 * MiB, maxWithSwapBytes: 128 * MiB, reservationBytes: 24 * MiB } },
      { memory: { maxBytes: null, maxWithSwapBytes: null, reservationBytes: null } },
    ],
    v1: [
      ['memory/memory.limit_in_bytes', `${64 * MiB}`, `${96 * MiB}`, leftToOne],
      ['memory/memory.memsw.limit_in_bytes', `${80 * MiB}`, `${128 * MiB}`, unlimitedV1],
      ['memory/memory.soft_limit_in_bytes', `${16 * MiB}`, `${24 * MiB}`, unlimitedV1],
    ],
    v2: [
      ['memory.max', `${64 * MiB}`, `${96 * MiB}`, leftToOne],
      ['memory.swap.max', `${16 * MiB}`, `${32 * MiB}`, 'max'],
      ['memory.low', `${16 * MiB}`, `${24 * MiB}`, '0'],
    ],
    optional: ['memory/memory.memsw.limit_in_bytes'],
  },
  ...onV2Alone(),
  {
    what: 'processes',
    limits: [{ pids: 50 }, { pids: 60 }, { pids: null }],
    v1: [['pids/pids.max', '50', '60', 'max']],
    v2: [['pids.max', '50', '60', 'max']],
  },
  {
    what: 'IO weight',
    limits: [{ io: { weight: 10 } }, { io: { weight: 1000 } }, { io: { weight: null } }],
    v1: [['blkio/blkio.bfq.weight', '10', '1000', '500']],
    v2: [['io.weight', 'default 1', 'default 10000', 'default 100']],
    optional: ['blkio/blkio.bfq.weight', 'io.weight'],
  },
];

function onV2Alone(): Case[] {
  if (isV1) return [];
  return [
    {
      what: 'memory’s high mark, and who is killed together',
      limits: [
        { memory: { highBytes: 48 * MiB, oomGroup: false } },
        { memory: { highBytes: 56 * MiB, oomGroup: true } },
        { memory: { highBytes: null, oomGroup: null } },
      ],
      v1: [],
      v2: [
        ['memory.high', `${48 * MiB}`, `${56 * MiB}`, 'max'],
        ['memory.oom.group', '0', '1', '1'],
      ],
    },
    {
      what: 'huge pages, touched and reserved',
      limits: [
        { hugetlb: [{ pageBytes: 2 * MiB, maxBytes: 4 * MiB, reservedMaxBytes: 8 * MiB }] },
        { hugetlb: [{ pageBytes: 2 * MiB, maxBytes: 6 * MiB, reservedMaxBytes: 0 }] },
        { hugetlb: [{ pageBytes: 2 * MiB, maxBytes: null, reservedMaxBytes: null }] },
      ],
      v1: [],
      v2: [
        ['hugetlb.2MB.max', `${4 * MiB}`, `${6 * MiB}`, 'max'],
        ['hugetlb.2MB.rsvd.max', `${8 * MiB}`, '0', 'max'],
      ],
    },
  ];
}

async function limit(name: string, limits: Limits): Promise<void> {
  const path = `/corten/v1/containers/${name}/limits`;
  const { status, body } = await ask(agent.socket, 'POST', path, limits);
  assert.equal(status, 200, JSON.stringify(body));
}

const groupOf = async (name: string) =>
  join(`corten-${suffixOf(agent.root)}`, await docker.output('inspect', '-f', '{{.Id}}', name));

/** A row's file: v1's begins with the hierarchy. */
function pathOf(file: string, group: string): string {
  if (!isV1) return join(top, group, file);
  const [controller = '', name = ''] = file.split('/');
  return join(top, controller, group, name);
}

/** One that only waits, with its limits from before its start. */
async function begin(name: string, limits: Limits, ...options: string[]): Promise<string> {
  await docker.output('create', '--name', name, ...options, image, 'sleep', '100000');
  await limit(name, limits);
  await docker.output('start', name);
  return groupOf(name);
}

for (const { what, limits, v1, v2, optional = [] } of cases)
  test(`${what}: set before the start, changed, taken away, and away after a restart`, async () => {
    const [first, then, cleared] = limits;
    const group = await begin('one', first, '--network', 'none');
    const rows = (isV1 ? v1 : v2).filter(
      ([file]) => !optional.includes(file) || existsSync(pathOf(file, group)),
    );
    const holds = (place: 1 | 2 | 3) =>
      assert.deepEqual(
        rows.map(([file]) => [file, read(pathOf(file, group))]),
        rows.map((row) => [row[0], row[place]]),
      );
    holds(1);
    await limit('one', then);
    holds(2);
    await limit('one', cleared);
    holds(3);
    await docker.output('restart', '-t', '0', 'one');
    holds(3);
    await docker.output('rm', '-f', 'one');
  });

/** Any disk of the machine: nothing is written to it. */
const disk = readdirSync('/sys/block').find((name) => existsSync(`/sys/block/${name}/device`));

test('rates of a disk: bytes and operations, read and written', {
  skip: disk === undefined && 'this machine has no disk',
}, async () => {
  const device = `/dev/${disk}`;
  const number = read(`/sys/block/${disk}/dev`);
  const rates = (bytes: number | null, operations: number | null): Limits => {
    const limits: IoDeviceLimits = {
      device,
      readBytesPerSecond: bytes,
      writeBytesPerSecond: bytes && bytes + 4096,
      readOperationsPerSecond: operations,
      writeOperationsPerSecond: operations && operations + 1,
    };
    return { io: { devices: [limits] } };
  };
  const group = await begin('one', rates(1_048_576, 100), '--network', 'none');
  const ofDevice = (file: string) =>
    read(pathOf(file, group))
      .split('\n')
      .find((line) => line.startsWith(`${number} `))
      ?.slice(number.length + 1);
  const v1Files = ['read_bps', 'write_bps', 'read_iops', 'write_iops'];
  const now = () =>
    isV1
      ? v1Files.map((name) => ofDevice(`blkio/blkio.throttle.${name}_device`))
      : (ofDevice('io.max') ?? '').split(' ').map((pair) => pair.split('=')[1]);
  const none = isV1 ? v1Files.map(() => undefined) : [undefined];
  assert.deepEqual(now(), ['1048576', '1052672', '100', '101']);
  await limit('one', rates(2_097_152, 50));
  assert.deepEqual(now(), ['2097152', '2101248', '50', '51']);
  // One of them goes, the others stay.
  await limit('one', { io: { devices: [{ device, readOperationsPerSecond: null }] } });
  assert.deepEqual(now(), ['2097152', '2101248', isV1 ? undefined : 'max', '51']);
  await limit('one', rates(null, null));
  assert.deepEqual(now(), none);
  await docker.output('restart', '-t', '0', 'one');
  assert.deepEqual(now(), none);
  await docker.output('rm', '-f', 'one');
});

test('a disk’s own weight, which is ignored where its scheduler knows none, and again that of all', {
  skip: disk === undefined && 'this machine has no disk',
}, async () => {
  const number = read(`/sys/block/${disk}/dev`);
  const weight = (one: number | null): Limits => ({
    io: { weight: 1000, devices: [{ device: `/dev/${disk}`, weight: one }] },
  });
  const group = await begin('one', weight(10), '--network', 'none');
  const files = ['blkio/blkio.bfq.weight_device', 'io.bfq.weight', 'io.weight'];
  const path = files.map((file) => pathOf(file, group)).find((file) => existsSync(file));
  const ofDisk = () => (path ? read(path) : '').split('\n').find((line) => line.startsWith(number));
  const hasWeights = /\[bfq\]/.test(read(`/sys/block/${disk}/queue/scheduler`));
  if (hasWeights) assert.equal(ofDisk(), `${number} 10`);
  await limit('one', weight(null));
  assert.equal(ofDisk(), undefined);
  await docker.output('rm', '-f', 'one');
});
