/**
 * `scripts/bench-machine`: boots a virtual machine once and resumes it from its snapshot several times, and prints the
 * duration of each stage, the memory of QEMU, and the CPU time while the machine is idle.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineState } from '../../electron/contract/machines.ts';
import { createMachine } from '../../electron/host/machine/lifecycle.ts';
import { qemuBackend } from '../../electron/host/qemu/backend.ts';

const memoryBytes = 768 * 1024 ** 2;
const runs = Number(process.argv[2] ?? 5);
/** The guest returns freed memory to the host within seconds (free page reporting). */
const settleMs = 10_000;
const idleMs = 5_000;
const directory = mkdtempSync(join(tmpdir(), 'bench-machine-'));
const machine = createMachine({
  backend: qemuBackend({
    directory: join(directory, 'machine'),
    runDirectory: join(directory, 'run'),
    imageDirectory: resolve(
      import.meta.dirname,
      '../../dist/vm-image',
      process.arch === 'arm64' ? 'arm64' : 'amd64',
    ),
    settings: { cpus: 2, memoryBytes, diskBytes: 4 * 1024 ** 3 },
    agentArguments: [],
  }),
});

const stageNames = ['prepare', 'image', 'disks', 'vm', 'boot', 'connect', 'engine'];
console.log(
  [
    ...['', ...stageNames, 'all', 'resident', 'translated', 'guest memory', 'rest', 'files'],
    ...['saved', 'guest uses', 'idle CPU %'],
  ].join('\t'),
);
try {
  await measured('boot');
  for (let run = 1; run <= runs; run++) {
    await machine.stop();
    await measured(`resume ${run}`);
  }
} finally {
  await machine.stop({ force: true });
  rmSync(directory, { recursive: true, force: true });
}

async function measured(name: string): Promise<void> {
  const saved = (await machine.controls!.figures()).snapshotBytes;
  const startedMs = performance.now();
  const state = await machine.start();
  const allMs = performance.now() - startedMs;
  if (state.status !== 'running') throw new Error(JSON.stringify(state.failure));
  await sleep(settleMs);
  const { cpuMs: usedMs = 0 } = await machine.controls!.figures();
  await sleep(idleMs);
  const { guestMemoryBytes = 0, cpuMs = 0 } = await machine.controls!.figures();
  console.log(
    [
      name,
      ...stageNames.map((id) => timeOf(state, id)),
      Math.round(allMs),
      ...residentMegabytes(),
      megabytes(saved),
      megabytes(guestMemoryBytes),
      (((cpuMs - usedMs) / idleMs) * 100).toFixed(1),
    ].join('\t'),
  );
}

function timeOf({ stages }: MachineState, wanted: string): number {
  return stages.find(({ id }) => id === wanted)?.elapsedMs ?? 0;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

/**
 * Resident memory of our QEMU in MB (proc_pid_smaps(5)): in total; the buffer for translated code, which only emulation
 * has; the guest's memory; other anonymous memory; and mapped files.
 */
function residentMegabytes(): number[] {
  const kib = { translated: 0, guest: 0, rest: 0, files: 0 };
  let kind: keyof typeof kib = 'rest';
  for (const line of readFileSync(`/proc/${qemuPid()}/smaps`, 'latin1').split('\n')) {
    const [, from, to, rights, inode] = /^(\w+)-(\w+) (\S+) \w+ \S+ (\d+)/.exec(line) ?? [];
    if (from !== undefined && to !== undefined)
      kind = kindOf(Number(`0x${to}`) - Number(`0x${from}`), rights === 'rwxp', inode !== '0');
    kib[kind] += Number(/^Rss:\s+(\d+)/.exec(line)?.[1] ?? 0);
  }
  const { translated, guest, rest, files } = kib;
  return [translated + guest + rest + files, translated, guest, rest, files].map((each) =>
    megabytes(each * 1024),
  );
}

function kindOf(bytes: number, isCode: boolean, isFile: boolean) {
  if (isCode) return 'translated';
  if (isFile) return 'files';
  return bytes === memoryBytes ? 'guest' : 'rest';
}

function qemuPid(): number | undefined {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return children
    .split(' ')
    .map(Number)
    .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('qemu'));
}
