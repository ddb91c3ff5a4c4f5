/**
 * Starts and stops a machine in Apple's Virtualization framework, through vfkit. Image, disk, settings
 * and console are those of QEMU machines, so that the same directory works with either.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import type { BringUpContext, BroughtUp, MachineBackend, StopOptions } from '../machine/machine.ts';
import { cancelled, StageFailure } from '../machine/machine.ts';
import { noteWhenSlow } from '../machine/stage-timeout.ts';
import { throwIfCancelled, waitForBoot } from '../virtual-machine/boot.ts';
import {
  type MachineDirectory,
  machineDirectory,
  makeDirectories,
} from '../virtual-machine/directory.ts';
import { checkFreeSpace, dataDiskAt, prepareDataDisk } from '../virtual-machine/disk.ts';
import type { GuestImage } from '../virtual-machine/image.ts';
import {
  chooseImage,
  imageFailed,
  imageProved,
  imageUntried,
} from '../virtual-machine/image-choice.ts';
import { guestInstallation } from '../virtual-machine/installation.ts';
import { type GuestKeys, guestKeysIn } from '../virtual-machine/keys.ts';
import { loginAdvice, lossOf } from '../virtual-machine/loss.ts';
import { socketLine, startVmProcess, textOf } from '../virtual-machine/process.ts';
import { defaultSettings, type MachineRecord, readRecord } from '../virtual-machine/record.ts';
import { writeSeed } from '../virtual-machine/seed.ts';
import { sshVsockPort, vfkitArguments } from './command-line.ts';
import { appleControls } from './controls.ts';
import { vfkitFailure } from './failures.ts';
import { checkKernel, type FoundVfkit, findVfkit } from './find-vfkit.ts';
import type { AppleMachineOptions, RunningVfkit, Session } from './session.ts';
import { type VfkitControl, vfkitControl } from './vfkit-api.ts';

const defaultTimeoutMs = 120_000;
/** vfkit's own timeout for the start in the framework is five seconds (cmd/vfkit/main.go). */
const defaultStartTimeoutMs = 120_000;
const dialTimeoutMs = 20_000;
/** Containers get ten seconds to stop, then the guest unmounts its disk. */
const powerOffTimeoutMs = 60_000;
const leftoverTimeoutMs = 30_000;

export function appleBackend(options: AppleMachineOptions): MachineBackend {
  const files: MachineDirectory = {
    ...machineDirectory({ ...options, platform: 'darwin' }),
    qemuLog: join(options.directory, 'vfkit.log'),
    qmpSocket: join(options.runDirectory, 'vfkit.sock'),
  };
  const session: Session = {
    options,
    paths: {
      searchPath: options.searchPath ?? process.env.PATH ?? '',
      hostArchitecture: options.hostArchitecture ?? process.arch,
      ...(options.bundledDirectory !== undefined && { bundledDirectory: options.bundledDirectory }),
    },
    files,
    defaults: () => ({ ...defaultSettings(), ...options.settings }),
    running: undefined,
  };
  return {
    kind: 'apple',
    stages: ['prepare', 'image', 'disks', 'vm', 'boot'],
    loginAdvice: loginAdvice(files),
    bringUp: (context) => bringUp(session, context),
    logs: async () => ({
      'console.log': textOf(files.consoleLog),
      'vfkit.log': textOf(files.qemuLog),
    }),
    controls: (reach) => appleControls(session, reach),
    installation: guestInstallation(files),
  };
}

async function bringUp(session: Session, context: BringUpContext): Promise<BroughtUp> {
  const { files, options } = session;
  const { record, found } = await context.stage('prepare', async () => {
    makeDirectories(files, 'darwin');
    const known = readRecord(files.settings, session.defaults);
    checkFreeSpace(files.path);
    return { record: known, found: await findVfkit(session.paths) };
  });
  throwIfCancelled(context);
  const image = await context.stage('image', async () => {
    const note = (text: string) => context.note('image', text);
    const chosen = await chooseImage(options.imageDirectory, files, record, note);
    await checkKernel(chosen.kernel);
    return chosen;
  });
  throwIfCancelled(context);
  const keys = await context.stage('disks', () => prepareDisks(session, record));
  throwIfCancelled(context);
  const vm = await context
    .stage('vm', () => startVm(session, { record, found, image }, context))
    .catch((error: unknown) => {
      imageUntried(files);
      throw error;
    });
  try {
    await context.stage('boot', () => boot(session, vm, context));
  } catch (error) {
    await end(session, vm);
    if (context.signal.aborted) imageUntried(files);
    else imageFailed(files, image.digest);
    throw error;
  }
  session.running = vm;
  return livingMachine(session, vm, keys, image);
}

function livingMachine(
  session: Session,
  vm: RunningVfkit,
  keys: GuestKeys,
  image: GuestImage,
): BroughtUp {
  const { files } = session;
  let isStopping = false;
  return {
    endpoint: {
      // Each dial is a vsock connection of its own, and their number is not limited.
      dial: () => socketLine(files.sshSocket).dial(AbortSignal.timeout(dialTimeoutMs)),
      hostPublicKey: keys.host.public,
      clientPrivateKey: keys.client.private,
    },
    proved: () => imageProved(files, image.digest),
    lost: new Promise((resolve) => {
      void vm.process.ended.then((how) => {
        session.running = undefined;
        if (!isStopping) resolve(lossOf(files, 'vfkit', how));
      });
    }),
    idlePause: {
      pause: () => vm.control.change('Pause'),
      resume: () => vm.control.change('Resume'),
    },
    stop: async (how, engine) => {
      isStopping = true;
      await stop(session, vm, how, engine);
      session.running = undefined;
    },
  };
}

async function prepareDisks(session: Session, { settings }: MachineRecord): Promise<GuestKeys> {
  const { files, options } = session;
  await prepareDataDisk(dataDiskAt(files.dataDisk), settings.diskBytes, '');
  const keys = guestKeysIn(files.keys);
  writeSeed(files.seed, {
    hostname: hostname().split('.')[0] || 'corten',
    keys,
    timeZone: options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    agentArguments: [...(options.agentArguments ?? []), '--ssh-vsock', String(sshVsockPort)],
  });
  return keys;
}

interface Ground {
  record: MachineRecord;
  found: FoundVfkit;
  image: GuestImage;
}

async function startVm(
  session: Session,
  ground: Ground,
  context: BringUpContext,
): Promise<RunningVfkit> {
  const { files } = session;
  await endLeftover(files);
  const words = vfkitArguments({
    ...ground.image,
    cpus: ground.record.settings.cpus,
    memoryBytes: ground.record.settings.memoryBytes,
    rootImage: ground.image.root,
    dataDisk: files.dataDisk,
    seed: files.seed,
    consoleLog: files.consoleLog,
    controlSocket: files.qmpSocket,
    sshSocket: files.sshSocket,
  });
  // vfkit creates no socket over an existing file, and reports that for one of the two only in its log.
  removeSockets(files);
  writeFileSync(files.consoleLog, '', { mode: 0o600 });
  const process = startVmProcess(ground.found.path, words, files.qemuLog);
  const vm: RunningVfkit = {
    process,
    control: vfkitControl(files.qmpSocket),
    settings: { ...ground.record.settings },
    pid: process.pid,
  };
  try {
    await noteWhenSlow(running(session, vm, context), {
      ...session.options,
      note: (text) => context.note('vm', text),
      text: 'vfkit has not started the machine yet. The computer is slow; the app is still waiting.',
    });
    return vm;
  } catch (error) {
    await end(session, vm);
    throw error;
  }
}

/** vfkit's control service answers before the machine runs, and ends when the machine cannot start. */
async function running(
  { files, options }: Session,
  vm: RunningVfkit,
  context: BringUpContext,
): Promise<void> {
  const failed = vm.process.ended.then((how) => {
    throw vfkitFailure(how, textOf(files.qemuLog), files.qemuLog);
  });
  failed.catch(() => {});
  const deadline = performance.now() + (options.startTimeoutMs ?? defaultStartTimeoutMs);
  for (;;) {
    if (context.signal.aborted) throw cancelled();
    const state = await Promise.race([vm.control.state().catch(() => undefined), failed]);
    if (state === 'Running') return;
    if (state === 'Error' || performance.now() > deadline)
      throw vfkitFailure(
        `the machine is in the state "${state ?? 'unknown'}"`,
        textOf(files.qemuLog),
        files.qemuLog,
      );
    await Promise.race([sleep(20), failed]);
  }
}

function boot(
  { files, options }: Session,
  vm: RunningVfkit,
  context: BringUpContext,
): Promise<void> {
  return waitForBoot({
    program: 'vfkit',
    consoleLog: files.consoleLog,
    dataDisk: files.dataDisk,
    ended: vm.process.ended,
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    signal: context.signal,
    note: (text) => context.note('boot', text),
    repaired: (text) => context.note('disks', text),
  });
}

/** Ends the vfkit of an app that has crashed, since it has the disk open. */
async function endLeftover(files: MachineDirectory): Promise<void> {
  const control = vfkitControl(files.qmpSocket);
  try {
    await control.state();
  } catch {
    // The socket is stale: nothing listens on it.
    return;
  }
  await control.change('Resume').catch(() => {});
  await control.change('Stop').catch(() => {});
  if (await gone(control, powerOffTimeoutMs)) return;
  await control.change('HardStop').catch(() => {});
  if (await gone(control, leftoverTimeoutMs)) return;
  throw new StageFailure(
    "A machine of an earlier start still runs on this machine's disk, and does not end.",
    'End the process called vfkit in Activity Monitor, then start again.',
  );
}

async function gone(control: VfkitControl, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const state = await control.state().catch(() => undefined);
    if (state === undefined) return true;
    await sleep(50);
  }
  return false;
}

async function stop(
  session: Session,
  vm: RunningVfkit,
  { force }: StopOptions,
  engine: EngineClient | undefined,
): Promise<void> {
  try {
    if (!force) await powerOff(vm, engine);
    else await vm.control.change('HardStop').catch(() => {});
  } finally {
    await end(session, vm);
  }
}

/** The engine is asked first, because a guest without its agent does not react to the power button. */
async function powerOff(vm: RunningVfkit, engine: EngineClient | undefined): Promise<void> {
  const asked = await engine
    ?.request({ method: 'POST', path: '/corten/v1/machine/power-off' })
    .catch(() => undefined);
  if (asked?.status !== 202) await vm.control.change('Stop').catch(() => {});
  const timer = new AbortController();
  await Promise.race([
    vm.process.ended,
    sleep(powerOffTimeoutMs, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  timer.abort();
}

/** A killed process leaves its socket files behind. */
async function end({ files }: Session, vm: RunningVfkit): Promise<void> {
  await vm.process.kill();
  removeSockets(files);
}

function removeSockets(files: MachineDirectory): void {
  for (const path of [files.qmpSocket, files.sshSocket]) rmSync(path, { force: true });
}
