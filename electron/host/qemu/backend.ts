/**
 * A machine in QEMU: the story of its start, one stage after the other, and of its end. What each
 * stage does lies in the files beside this one.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import {
  type BroughtUp,
  type Climb,
  type MachineBackend,
  StageFailure,
} from '../machine/machine.ts';
import { abandonIfCalledOff, waitForBoot } from '../virtual-machine/boot.ts';
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
import { chooseAcceleration, findQemu, type QemuPlaces } from './find-qemu.ts';
import type { QemuMachineOptions, RunningQemu, Session } from './session.ts';
import { restoreSnapshot } from './snapshot.ts';
import { stopVm } from './stop.ts';
import { startVm } from './vm.ts';

/** Emulated, a guest on a busy computer is silent for minutes while its agent loads. */
const defaultPatienceMs = { accelerated: 120_000, emulated: 480_000 };
const dialTimeoutMs = 20_000;
const nextStepAfterEnd =
  'Start it again: its disk is kept. If this computer ran out of memory, give the machine less, or close other programs.';

export function qemuBackend(options: QemuMachineOptions): MachineBackend {
  const places: QemuPlaces = {
    platform: options.platform ?? process.platform,
    hostArchitecture: options.hostArchitecture ?? process.arch,
    architecture: options.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
    searchPath: options.searchPath ?? process.env.PATH ?? '',
    ...(options.bundledDirectory !== undefined && { bundledDirectory: options.bundledDirectory }),
  };
  const files = machineDirectory({ ...options, platform: places.platform });
  const defaults = () => ({ ...defaultSettings(), ...options.settings });
  const session: Session = { options, places, files, defaults, running: undefined };
  return {
    kind: 'qemu',
    stages: ['prepare', 'image', 'disks', 'vm', 'boot'],
    loginAdvice: loginAdvice(files),
    bringUp: (climb) => bringUp(session, climb),
    logs: async () => ({
      'console.log': textOf(files.consoleLog),
      'qemu.log': textOf(files.qemuLog),
    }),
    controls: (reach) => qemuControls(session, reach),
    installation: guestInstallation(files),
  };
}

async function bringUp(session: Session, climb: Climb): Promise<BroughtUp> {
  const { files, places, options } = session;
  const ground = await climb.stage('prepare', async () => {
    makeDirectories(files, places.platform);
    const record = readRecord(files.settings, session.defaults);
    const found = await findQemu(places, {
      signal: climb.signal,
      patienceMs: options.startPatienceMs,
    });
    const acceleration = chooseAcceleration(places, found, options.kvmDevice);
    if (acceleration.note !== undefined) climb.note('prepare', acceleration.note);
    checkFreeSpace(files.path);
    return { record, found, acceleration };
  });
  abandonIfCalledOff(climb);
  const image = await climb.stage('image', () =>
    chooseImage(options.imageDirectory, files, ground.record, (text) => climb.note('image', text)),
  );
  abandonIfCalledOff(climb);
  const disk = dataDiskAt(files.dataDisk);
  const keys = await climb.stage('disks', async () => {
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
  abandonIfCalledOff(climb);
  const vm = await climb
    .stage('vm', () => startVm(session, { ...ground, image, disk }, climb))
    .catch((error: unknown) => {
      imageUntried(files);
      throw error;
    });
  try {
    await climb.stage('boot', () => boot(session, vm, climb));
  } catch (error) {
    await vm.kill();
    if (climb.signal.aborted) imageUntried(files);
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
    rest: {
      pause: async (engine) => {
        await giveMemoryBack(engine);
        await vm.qmp.run('stop');
      },
      wake: () => vm.qmp.run<void>('cont'),
    },
    hold: vm.hold,
    stop: async (how, engine) => {
      isStopping = true;
      await stopVm(session, vm, how, engine);
      session.running = undefined;
    },
  };
}

async function boot(session: Session, vm: RunningQemu, climb: Climb): Promise<void> {
  const { files, options } = session;
  if (vm.plan.restores) {
    climb.note('boot', 'resumed');
    try {
      await restoreSnapshot(vm.qmp, files.snapshot);
    } catch (error) {
      throw new StageFailure(
        `The machine's memory could not be read back: ${(error as Error).message}`,
        'Start it again: it then starts anew, with its disk as it was.',
        { cause: error },
      );
    }
    return;
  }
  const { hold } = vm;
  const tellHold = hold.onChange(() => {
    const why = hold.why();
    climb.note('boot', why === undefined ? '' : `${why.cause} ${why.nextStep}`);
  });
  await waitForBoot({
    program: 'QEMU',
    consoleLog: files.consoleLog,
    dataDisk: files.dataDisk,
    ended: vm.ended,
    patienceMs:
      options.patienceMs ??
      defaultPatienceMs[vm.plan.accelerators[0] === 'tcg' ? 'emulated' : 'accelerated'],
    signal: climb.signal,
    isHeld: () => hold.why() !== undefined,
    note: (text) => climb.note('boot', text),
    repaired: (text) => climb.note('disks', text),
  }).finally(tellHold);
}

/** The guest tells which pages are free two seconds after it has freed them (mm/page_reporting.c). */
const pageReportingMs = 2_500;

async function giveMemoryBack(engine: EngineClient): Promise<void> {
  await engine.request({ method: 'POST', path: '/corten/v1/machine/free-memory' });
  await sleep(pageReportingMs);
}

/** Its clock stood still, and what it would call random has perhaps been drawn before. */
async function freshen(engine: EngineClient): Promise<void> {
  await engine.request({ method: 'POST', path: '/corten/v1/machine/reseed' });
}
