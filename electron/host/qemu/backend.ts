/**
 * Starts and stops a machine in QEMU, one stage after the other. The files beside this one do the
 * work of the stages.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import {
  type BringUpContext,
  type BroughtUp,
  type MachineBackend,
  StageFailure,
} from '../machine/machine.ts';
import { throwIfCancelled, waitForBoot } from '../virtual-machine/boot.ts';
import { machineDirectory, makeDirectories } from '../virtual-machine/directory.ts';
import { checkFreeSpace, dataDiskAt, prepareDataDisk } from '../virtual-machine/disk.ts';
import {
  chooseImage,
  imageFailed,
  imageProved,
  imageUntried,
} from '../virtual-machine/image-choice.ts';
import { guestInstallation } from '../virtual-machine/installation.ts';
import { guestKeysIn } from '../virtual-machine/keys.ts';
import { loginAdvice, lossOf } from '../virtual-machine/loss.ts';
import { textOf } from '../virtual-machine/process.ts';
import { defaultSettings, readRecord } from '../virtual-machine/record.ts';
import { writeSeed } from '../virtual-machine/seed.ts';
import { qemuControls } from './controls.ts';
import { chooseAcceleration, findQemu, type QemuPaths } from './find-qemu.ts';
import type { QemuMachineOptions, RunningQemu, Session } from './session.ts';
import { restoreSnapshot } from './snapshot.ts';
import { stopVm } from './stop.ts';
import { startVm } from './vm.ts';

/** An emulated guest on a busy computer writes nothing for minutes while its agent loads. */
const defaultTimeoutMs = { accelerated: 120_000, emulated: 480_000 };
const dialTimeoutMs = 20_000;
const nextStepAfterEnd =
  'Start it again: its disk is kept. If this computer ran out of memory, give the machine less, or close other programs.';

export function qemuBackend(options: QemuMachineOptions): MachineBackend {
  const paths: QemuPaths = {
    platform: options.platform ?? process.platform,
    hostArchitecture: options.hostArchitecture ?? process.arch,
    architecture: options.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
    searchPath: options.searchPath ?? process.env.PATH ?? '',
    ...(options.bundledDirectory !== undefined && { bundledDirectory: options.bundledDirectory }),
  };
  const files = machineDirectory({ ...options, platform: paths.platform });
  const defaults = () => ({ ...defaultSettings(), ...options.settings });
  const session: Session = { options, paths, files, defaults, running: undefined };
  return {
    kind: 'qemu',
    stages: ['prepare', 'image', 'disks', 'vm', 'boot'],
    loginAdvice: loginAdvice(files),
    bringUp: (context) => bringUp(session, context),
    logs: async () => ({
      'console.log': textOf(files.consoleLog),
      'qemu.log': textOf(files.qemuLog),
    }),
    controls: (reach) => qemuControls(session, reach),
    installation: guestInstallation(files),
  };
}

async function bringUp(session: Session, context: BringUpContext): Promise<BroughtUp> {
  const { files, paths, options } = session;
  const ground = await context.stage('prepare', async () => {
    makeDirectories(files, paths.platform);
    const record = readRecord(files.settings, session.defaults);
    const found = await findQemu(paths, {
      signal: context.signal,
      timeoutMs: options.startTimeoutMs,
    });
    const acceleration = chooseAcceleration(paths, found, options.kvmDevice);
    if (acceleration.note !== undefined) context.note('prepare', acceleration.note);
    checkFreeSpace(files.path);
    return { record, found, acceleration };
  });
  throwIfCancelled(context);
  const image = await context.stage('image', () =>
    chooseImage(options.imageDirectory, files, ground.record, (text) =>
      context.note('image', text),
    ),
  );
  throwIfCancelled(context);
  const disk = dataDiskAt(files.dataDisk);
  const keys = await context.stage('disks', async () => {
    await prepareDataDisk(disk, ground.record.settings.diskBytes, ground.found.path);
    const made = guestKeysIn(files.keys);
    writeSeed(files.seed, {
      hostname: hostname(),
      keys: made,
      timeZone: options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      agentArguments: ['--machine', ...(options.agentArguments ?? [])],
    });
    return made;
  });
  throwIfCancelled(context);
  const vm = await context
    .stage('vm', () => startVm(session, { ...ground, image, disk }, context))
    .catch((error: unknown) => {
      imageUntried(files);
      throw error;
    });
  try {
    await context.stage('boot', () => boot(session, vm, context));
  } catch (error) {
    await vm.kill();
    if (context.signal.aborted) imageUntried(files);
    else imageFailed(files, image.digest);
    throw error;
  }
  session.running = vm;
  let isStopping = false;
  return {
    endpoint: {
      dial: () => vm.ssh.dial(AbortSignal.timeout(dialTimeoutMs)),
      hostPublicKey: keys.host.public,
      clientPrivateKey: keys.client.private,
    },
    oneConnection: true,
    proved: async (engine) => {
      imageProved(files, image.digest);
      if (vm.plan.restores) await freshen(engine);
    },
    lost: new Promise((resolve) => {
      void vm.ended.then((how) => {
        session.running = undefined;
        if (!isStopping) resolve(lossOf(files, 'QEMU', how, nextStepAfterEnd));
      });
    }),
    idlePause: {
      pause: async (engine) => {
        await giveMemoryBack(engine);
        await vm.qmp.run('stop');
      },
      resume: () => vm.qmp.run<void>('cont'),
    },
    hold: vm.hold,
    stop: async (how, engine) => {
      isStopping = true;
      await stopVm(session, vm, how, engine);
      session.running = undefined;
    },
  };
}

async function boot(session: Session, vm: RunningQemu, context: BringUpContext): Promise<void> {
  const { files, options } = session;
  if (vm.plan.restores) {
    context.note('boot', 'resumed');
    try {
      await restoreSnapshot(vm.qmp, files.snapshot);
    } catch (error) {
      throw new StageFailure(
        `The machine's memory could not be read back: ${(error as Error).message}`,
        'Start it again: it then boots, with its disk unchanged.',
        { cause: error },
      );
    }
    return;
  }
  const { hold } = vm;
  const tellHold = hold.onChange(() => {
    const why = hold.why();
    context.note('boot', why === undefined ? '' : `${why.cause} ${why.nextStep}`);
  });
  await waitForBoot({
    program: 'QEMU',
    consoleLog: files.consoleLog,
    dataDisk: files.dataDisk,
    ended: vm.ended,
    timeoutMs:
      options.timeoutMs ??
      defaultTimeoutMs[vm.plan.accelerators[0] === 'tcg' ? 'emulated' : 'accelerated'],
    signal: context.signal,
    isHeld: () => hold.why() !== undefined,
    note: (text) => context.note('boot', text),
    repaired: (text) => context.note('disks', text),
  }).finally(tellHold);
}

/** The guest reports free pages two seconds after it has freed them (Linux, mm/page_reporting.c). */
const pageReportingMs = 2_500;

async function giveMemoryBack(engine: EngineClient): Promise<void> {
  await engine.request({ method: 'POST', path: '/corten/v1/machine/free-memory' });
  await sleep(pageReportingMs);
}

/** After a restore the guest's clock is behind, and its random state may have been used already. */
async function freshen(engine: EngineClient): Promise<void> {
  await engine.request({ method: 'POST', path: '/corten/v1/machine/reseed' });
}
