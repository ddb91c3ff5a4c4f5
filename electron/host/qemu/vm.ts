/** Starts QEMU, from saved memory where that fits, and with an accelerator where one works. */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BringUpContext, cancelled, StageFailure } from '../machine/machine.ts';
import { noteWhenSlow } from '../machine/stage-timeout.ts';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import type { DataDisk } from '../virtual-machine/disk.ts';
import type { GuestImage } from '../virtual-machine/image.ts';
import {
  dialOnce,
  type Line,
  loopbackLine,
  QemuBroke,
  socketLine,
  startFailure,
  startVmProcess,
  textOf,
  type VmProcess,
} from '../virtual-machine/process.ts';
import type { MachineRecord } from '../virtual-machine/record.ts';
import { type QemuPlan, qemuArguments } from './command-line.ts';
import { watchDisk } from './disk-hold.ts';
import { type Acceleration, accelerationFailed, type FoundQemu } from './find-qemu.ts';
import { openQmp, type Qmp } from './qmp.ts';
import type { RunningQemu, Session } from './session.ts';
import { withSmallPages } from './small-pages.ts';
import { dropSnapshot, hasSnapshot, nowhere, savedAccelerators, snapshotKey } from './snapshot.ts';
import { within } from './stop.ts';

/** The first start on a busy computer reads all of QEMU from the disk. */
const defaultStartTimeoutMs = 180_000;
const leftoverTimeoutMs = 30_000;

/** The results of the earlier stages. */
export interface Ground {
  record: MachineRecord;
  found: FoundQemu;
  acceleration: Acceleration;
  image: GuestImage;
  disk: DataDisk;
}

/** Restores the saved memory where it fits, and boots otherwise. */
export async function startVm(
  session: Session,
  ground: Ground,
  context: BringUpContext,
): Promise<RunningQemu> {
  const { files } = session;
  await endLeftover(session, context);
  const saved = savedAccelerators(files.snapshot);
  if (saved !== undefined) {
    const asSaved = { ...ground, acceleration: { accelerators: saved } };
    const plan = planOf(session, asSaved);
    if (hasSnapshot(files.snapshot, snapshotKey(files, ground.found, plan)))
      return await spawnVm(session, ground.found, { ...plan, restores: true }, context);
  }
  dropSnapshot(files.snapshot);
  const plan = planOf(session, ground);
  const [accelerator] = plan.accelerators;
  try {
    return await spawnVm(session, ground.found, plan, context);
  } catch (error) {
    // Some accelerators open and then break QEMU, such as KVM in a virtual machine without nesting.
    // Without the accelerator the same start works, or fails for a reason of its own.
    const mayBeTheCause = error instanceof QemuBroke && accelerator !== 'tcg';
    if (!mayBeTheCause || context.signal.aborted) throw error;
    context.note('prepare', accelerationFailed(accelerator!, textOf(files.qemuLog)));
    return await spawnVm(session, ground.found, { ...plan, accelerators: ['tcg'] }, context);
  }
}

async function spawnVm(
  session: Session,
  found: FoundQemu,
  planned: QemuPlan,
  context: BringUpContext,
): Promise<RunningQemu> {
  const { files, paths } = session;
  const lines =
    paths.platform === 'win32'
      ? { qmp: await loopbackLine(), ssh: await loopbackLine() }
      : { qmp: socketLine(files.qmpSocket), ssh: socketLine(files.sshSocket) };
  const plan = { ...planned, qmp: lines.qmp.place, ssh: lines.ssh.place };
  writeFileSync(files.consoleLog, '', { mode: 0o600 });
  const start = () => startVmProcess(found.path, qemuArguments(plan), files.qemuLog);
  const isEmulated = plan.accelerators[0] === 'tcg';
  const process = isEmulated && paths.platform === 'linux' ? withSmallPages(start) : start();
  const end = async () => {
    await process.kill();
    for (const line of Object.values(lines)) line.close();
  };
  try {
    const qmp = await greet(process, lines.qmp, session, context);
    await noteAcceleration(qmp, plan, files, context);
    const hold = watchDisk(qmp, files.dataDisk, session.options.freeBytes);
    return {
      ...{ qmp, hold, found, plan, ssh: lines.ssh },
      ended: process.ended,
      pid: process.pid,
      kill: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Ends the QEMU of an app that has crashed, since it has the disk open. */
async function endLeftover({ files, options }: Session, { signal }: BringUpContext): Promise<void> {
  if (!existsSync(files.qmpSocket)) return;
  try {
    const line = await dialOnce(files.qmpSocket);
    signal.addEventListener('abort', () => line.destroy());
    const qmp = await openQmp(line, { greetingTimeoutMs: leftoverTimeoutMs });
    await qmp.run('system_powerdown');
    await within(qmp.closed, options.powerOffTimeoutMs);
    await qmp.run('quit');
  } catch {
    // Nothing listens, or the connection is refused; then QEMU's own lock on the disk decides.
  }
}

/** Resolves once QEMU's sockets are connected. */
function planOf(
  { files, paths }: Session,
  { record, acceleration, image, disk }: Ground,
): QemuPlan {
  return {
    architecture: paths.architecture,
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
    qmp: nowhere,
    ssh: nowhere,
    restores: false,
  };
}

async function greet(
  process: VmProcess,
  line: Line,
  { files, options }: Session,
  context: BringUpContext,
): Promise<Qmp> {
  const timeoutMs = options.startTimeoutMs ?? defaultStartTimeoutMs;
  const failed = new AbortController();
  const giveUp = AbortSignal.any([AbortSignal.timeout(timeoutMs), context.signal, failed.signal]);
  const greeted = new AbortController();
  const failure = (how: string) => startFailure(how, files.qemuLog, files.dataDisk);
  try {
    const answered = Promise.race([
      line.dial(giveUp).then((socket) => {
        // The signal cancels the wait for the greeting too.
        giveUp.addEventListener('abort', () => socket.destroy(), { signal: greeted.signal });
        return openQmp(socket, { greetingTimeoutMs: timeoutMs });
      }),
      process.ended.then((how) => {
        throw failure(how);
      }),
    ]);
    return await noteWhenSlow(answered, {
      ...options,
      note: (text) => context.note('vm', text),
      text: 'QEMU has not answered yet. The computer is slow; the app is still waiting.',
    });
  } catch (error) {
    // A connection attempt that went on would take the only connection of the next QEMU at this path.
    failed.abort();
    if (context.signal.aborted) throw cancelled();
    if (error instanceof StageFailure) throw error;
    // A connection that ends at once belongs to a process that is about to exit.
    const how = await Promise.race([process.ended, sleep(500).then(() => undefined)]);
    throw failure(how ?? `it did not answer in ${timeoutMs / 1000} s`);
  } finally {
    greeted.abort();
  }
}

async function noteAcceleration(
  qmp: Qmp,
  { accelerators }: QemuPlan,
  files: MachineDirectory,
  context: BringUpContext,
): Promise<void> {
  if (accelerators[0] !== 'kvm') return;
  const { enabled } = await qmp.run<{ enabled: boolean }>('query-kvm');
  if (!enabled) context.note('prepare', accelerationFailed('kvm', textOf(files.qemuLog)));
}
