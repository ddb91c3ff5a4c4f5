/**
 * A machine in QEMU: the story of its start, one stage after the other, and of its end. What each
 * stage does lies in the files beside this one.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineSettings } from '../../../contract/machine.ts';
import type { EngineClient } from '../../engine-client.ts';
import { guestKeysIn } from '../guest-keys/keys.ts';
import { writeSeed } from '../guest-keys/seed.ts';
import {
  type BroughtUp,
  type Climb,
  type MachineBackend,
  StageFailure,
  type StopOptions,
} from '../machine.ts';
import { calledOff, waitForBoot } from './boot.ts';
import { type GuestArchitecture, type QemuPlan, qemuArguments } from './command-line.ts';
import { lastWords } from './console.ts';
import { qemuControls } from './controls.ts';
import { type MachineDirectory, machineDirectory, makeDirectories } from './directory.ts';
import { checkFreeSpace, type DataDisk, dataDiskAt, prepareDataDisk } from './disk.ts';
import {
  type Acceleration,
  accelerationFailed,
  chooseAcceleration,
  type FoundQemu,
  findQemu,
  type QemuPlaces,
} from './find-qemu.ts';
import type { GuestImage } from './image.ts';
import { chooseImage, imageFailed, imageProved, imageUntried } from './image-choice.ts';
import {
  dialOnce,
  type Line,
  loopbackLine,
  QemuBroke,
  type QemuProcess,
  socketLine,
  startFailure,
  startQemu,
  textOf,
} from './process.ts';
import { openQmp, type Qmp } from './qmp.ts';
import { defaultSettings, type MachineRecord, readRecord } from './record.ts';
import {
  canSnapshot,
  dropSnapshot,
  hasSnapshot,
  restoreSnapshot,
  type SnapshotKey,
  saveSnapshot,
} from './snapshot.ts';

export interface QemuMachineOptions extends Partial<QemuPlaces> {
  /** The machine's own: disk, keys, settings. */
  directory: string;
  /** For its sockets. */
  runDirectory: string;
  /** What scripts/vm-image built for the guest's architecture. */
  imageDirectory: string;
  /** The first start's; later ones are what the person chose. */
  settings?: Partial<MachineSettings>;
  timeZone?: string;
  /** Between two signs of life of a guest that boots. */
  patienceMs?: number;
  /** How long a machine that is asked to end may take. */
  powerOffTimeoutMs?: number;
  kvmDevice?: string;
  agentArguments?: readonly string[];
  /** Whether a stop keeps the memory for a fast start; true where QEMU can. */
  suspends?: boolean;
}

/** A running QEMU, and what is needed to speak to it and to end it. */
export interface RunningQemu {
  qmp: Qmp;
  ssh: Line;
  lines: Line[];
  found: FoundQemu;
  plan: QemuPlan;
  /** In force since its start. */
  settings: MachineSettings;
  ended: Promise<string>;
  kill(): Promise<void>;
  pid(): number | undefined;
}

/** Emulated, a guest on a busy computer is silent for a minute while its agent loads. */
const defaultPatienceMs = { accelerated: 60_000, emulated: 240_000 };
const qmpTimeoutMs = 20_000;
/** Containers get their own ten seconds to end, and the disk must be let go. */
const defaultPowerOffTimeoutMs = 40_000;

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
    loginAdvice:
      `The keys in ${files.keys} may belong to another machine's disk. Restore both from one ` +
      'backup, or remove the directory: the next start makes new ones.',
    bringUp: (climb) => bringUp(session, climb),
    controls: (reach) => qemuControls(session, reach),
  };
}

export interface Session {
  options: QemuMachineOptions;
  places: QemuPlaces;
  files: MachineDirectory;
  defaults(): MachineSettings;
  running: RunningQemu | undefined;
}

async function bringUp(session: Session, climb: Climb): Promise<BroughtUp> {
  const { files, places, options } = session;
  const ground = await climb.stage('prepare', async () => {
    makeDirectories(files, places.platform);
    const record = readRecord(files.settings, session.defaults);
    const found = await findQemu(places);
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
      hostname: hostname().split('.')[0] || 'corten',
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
      dial: () => vm.ssh.dial(AbortSignal.timeout(qmpTimeoutMs)),
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
        if (!isStopping) resolve(lossOf(files, how));
      });
    }),
    rest: {
      pause: async (engine) => {
        await giveMemoryBack(engine);
        await vm.qmp.run('stop');
      },
      wake: () => vm.qmp.run<void>('cont'),
    },
    stop: async (how, engine) => {
      isStopping = true;
      await stopVm(session, vm, how, engine);
      session.running = undefined;
    },
  };
}

function abandonIfCalledOff({ signal }: Climb): void {
  if (signal.aborted) throw calledOff();
}

interface Ground {
  record: MachineRecord;
  found: FoundQemu;
  acceleration: Acceleration;
  image: GuestImage;
  disk: DataDisk;
}

async function startVm(session: Session, ground: Ground, climb: Climb): Promise<RunningQemu> {
  await endLeftover(session);
  const { accelerators } = ground.acceleration;
  try {
    return await spawnVm(session, ground, climb);
  } catch (error) {
    // Some accelerators can be opened and then break QEMU, such as KVM in a virtual machine that
    // does not nest; without one the same start works or fails for its own reason.
    if (accelerators[0] === 'tcg' || !(error instanceof QemuBroke) || climb.signal.aborted)
      throw error;
    climb.note('prepare', accelerationFailed(accelerators[0]!, textOf(session.files.qemuLog)));
    return await spawnVm(session, { ...ground, acceleration: { accelerators: ['tcg'] } }, climb);
  }
}

async function spawnVm(session: Session, ground: Ground, climb: Climb): Promise<RunningQemu> {
  const { files, places } = session;
  const lines =
    places.platform === 'win32'
      ? { qmp: await loopbackLine(), ssh: await loopbackLine() }
      : { qmp: socketLine(files.qmpSocket), ssh: socketLine(files.sshSocket) };
  const plan = planOf(files, places.architecture, ground, lines);
  const restores = hasSnapshot(files.snapshot, snapshotKey(files, ground.found, plan));
  if (restores) plan.restores = true;
  else dropSnapshot(files.snapshot);
  writeFileSync(files.consoleLog, '', { mode: 0o600 });
  const process = startQemu(ground.found.path, qemuArguments(plan), files.qemuLog);
  const end = async () => {
    await process.kill();
    for (const line of Object.values(lines)) line.close();
  };
  try {
    const qmp = await greet(process, lines.qmp, files, climb);
    await noteAcceleration(qmp, ground.acceleration, files, climb);
    return {
      ...{ qmp, ssh: lines.ssh, lines: Object.values(lines), found: ground.found, plan },
      settings: { ...ground.record.settings },
      ended: process.ended,
      pid: process.pid,
      kill: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A QEMU that an app left behind when it ended without a word: it has the disk. */
async function endLeftover({ files, options }: Session): Promise<void> {
  if (!existsSync(files.qmpSocket)) return;
  try {
    const qmp = await openQmp(await dialOnce(files.qmpSocket), 2_000);
    await qmp.run('system_powerdown');
    await within(qmp.closed, options.powerOffTimeoutMs);
    await qmp.run('quit');
  } catch {
    // Nobody listens any more, or it is not ours to speak to: QEMU's own lock on the disk decides.
  }
}

function planOf(
  files: MachineDirectory,
  architecture: GuestArchitecture,
  { record, acceleration, image, disk }: Ground,
  lines: { qmp: Line; ssh: Line },
): QemuPlan {
  return {
    architecture,
    accelerators: acceleration.accelerators,
    cpus: record.settings.cpus,
    memoryBytes: record.settings.memoryBytes,
    kernel: image.kernel,
    initrd: image.initrd,
    kernelArguments: image.kernelArguments,
    rootImage: image.root,
    seed: files.seed,
    dataDisk: disk,
    consoleLog: files.consoleLog,
    qmp: lines.qmp.place,
    ssh: lines.ssh.place,
    restores: false,
  };
}

async function greet(
  process: QemuProcess,
  line: Line,
  files: MachineDirectory,
  climb: Climb,
): Promise<Qmp> {
  const giveUp = AbortSignal.any([AbortSignal.timeout(qmpTimeoutMs), climb.signal]);
  const failure = (how: string) => startFailure(how, files.qemuLog, files.dataDisk);
  try {
    return await Promise.race([
      line.dial(giveUp).then((socket) => openQmp(socket, qmpTimeoutMs)),
      process.ended.then((how) => {
        throw failure(how);
      }),
    ]);
  } catch (error) {
    if (climb.signal.aborted) throw calledOff();
    if (error instanceof StageFailure) throw error;
    // A line that ends at once belongs to a process that is about to end.
    const how = await Promise.race([process.ended, sleep(500).then(() => undefined)]);
    throw failure(how ?? `it did not answer in ${qmpTimeoutMs / 1000} s`);
  }
}

async function noteAcceleration(
  qmp: Qmp,
  { accelerators }: Acceleration,
  files: MachineDirectory,
  climb: Climb,
): Promise<void> {
  if (accelerators[0] !== 'kvm') return;
  const { enabled } = await qmp.run<{ enabled: boolean }>('query-kvm');
  if (!enabled) climb.note('prepare', accelerationFailed('kvm', textOf(files.qemuLog)));
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
  await waitForBoot({
    consoleLog: files.consoleLog,
    dataDisk: files.dataDisk,
    ended: vm.ended,
    patienceMs:
      options.patienceMs ??
      defaultPatienceMs[vm.plan.accelerators[0] === 'tcg' ? 'emulated' : 'accelerated'],
    signal: climb.signal,
    note: (text) => climb.note('boot', text),
  });
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

async function stopVm(
  session: Session,
  vm: RunningQemu,
  { force }: StopOptions,
  engine: EngineClient | undefined,
): Promise<void> {
  try {
    if (force) await vm.qmp.run('quit').catch(() => {});
    else if (engine !== undefined && (await suspend(session, vm, engine))) return;
    else {
      await vm.qmp.run('system_powerdown').catch(() => {});
      await within(vm.ended, session.options.powerOffTimeoutMs);
    }
  } finally {
    await vm.kill();
  }
}

/** Undone by nothing: a machine whose memory cannot be saved is powered off. */
async function suspend(session: Session, vm: RunningQemu, engine: EngineClient): Promise<boolean> {
  const { files, options, defaults } = session;
  const { version } = vm.found;
  const { settings, images } = readRecord(files.settings, defaults);
  const same =
    settings.cpus === vm.settings.cpus &&
    settings.memoryBytes === vm.settings.memoryBytes &&
    images.trying === undefined;
  const wanted = options.suspends ?? true;
  if (!wanted || !same || !canSnapshot(version, settings.memoryBytes, files.snapshot)) return false;
  try {
    // What containers have written is then on the disk, whatever becomes of the saved memory.
    await engine.request({ method: 'POST', path: '/corten/v1/machine/sync' });
    await vm.qmp.run('stop');
    await saveSnapshot(vm.qmp, files.snapshot, snapshotKey(files, vm.found, vm.plan));
    return true;
  } catch {
    dropSnapshot(files.snapshot);
    await vm.qmp.run('cont').catch(() => {});
    return false;
  }
}

/** Settles with the first of both, and leaves no timer. */
async function within(end: Promise<unknown>, ms = defaultPowerOffTimeoutMs): Promise<void> {
  const patience = new AbortController();
  await Promise.race([end, sleep(ms, undefined, { signal: patience.signal }).catch(() => {})]);
  patience.abort();
}

/** Everything that must be the same for saved memory to fit. */
function snapshotKey(files: MachineDirectory, found: FoundQemu, plan: QemuPlan): SnapshotKey {
  const words = qemuArguments({ ...plan, restores: false });
  return { parts: [found.build, ...words], dataDisk: files.dataDisk };
}

function lossOf(files: MachineDirectory, how: string) {
  const said = lastWords(textOf(files.qemuLog));
  const guest = lastWords(textOf(files.consoleLog));
  return {
    stage: 'vm',
    cause: [
      `The machine's QEMU ended: ${how}.`,
      ...(said === '' ? [] : [`It said last: ${said}`]),
      ...(guest === '' ? [] : [`The machine's console ended with: ${guest}`]),
    ].join(' '),
    nextStep:
      'Start it again: its disk is kept. If this computer ran out of memory, give the machine less, or close other programs.',
  };
}
