/** Stops a machine in QEMU. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import type { StopOptions } from '../machine/machine.ts';
import { readRecord } from '../virtual-machine/record.ts';
import type { RunningQemu, Session } from './session.ts';
import { canSnapshot, dropSnapshot, saveSnapshot, snapshotKey } from './snapshot.ts';

/** A QEMU that still answers is asked to quit, so that it closes its disk properly; one that hangs is killed. */
const forcedQuitMs = 3_000;
/** Containers get ten seconds to stop, then the guest unmounts its disk, which takes long under emulation. */
const defaultPowerOffTimeoutMs = 120_000;

/** Saves the memory where that works; else presses the power button (ACPI), and quits QEMU if the guest does not react. */
export async function stopVm(
  session: Session,
  vm: RunningQemu,
  { force }: StopOptions,
  engine: EngineClient | undefined,
): Promise<void> {
  try {
    if (force)
      await within(
        vm.qmp.run('quit').catch(() => {}),
        forcedQuitMs,
      );
    else {
      // A halted machine can neither flush its disk nor power itself off.
      await Promise.race([vm.hold.over(), vm.ended]);
      await stopInOrder(session, vm, engine);
    }
  } finally {
    await vm.kill();
  }
}

async function stopInOrder(
  session: Session,
  vm: RunningQemu,
  engine: EngineClient | undefined,
): Promise<void> {
  if (engine !== undefined && (await suspend(session, vm, engine))) return;
  await vm.qmp.run('system_powerdown').catch(() => {});
  await within(vm.ended, session.options.powerOffTimeoutMs);
}

/** False when the memory cannot be saved; the machine is then powered off instead. */
async function suspend(session: Session, vm: RunningQemu, engine: EngineClient): Promise<boolean> {
  const { files, options, defaults } = session;
  const { version } = vm.found;
  const { settings, images } = readRecord(files.settings, defaults);
  const same =
    settings.cpus === vm.plan.cpus &&
    settings.memoryBytes === vm.plan.memoryBytes &&
    images.trying === undefined;
  const wanted = options.suspends ?? true;
  if (!wanted || !same || !canSnapshot(version, settings.memoryBytes, files.snapshot)) return false;
  try {
    // The containers' data is then on the disk, even if the saved memory is lost.
    await engine.request({ method: 'POST', path: '/corten/v1/machine/sync' });
    await vm.qmp.run('stop');
    const { accelerators } = vm.plan;
    await saveSnapshot(vm.qmp, files.snapshot, snapshotKey(files, vm.found, vm.plan), accelerators);
    return true;
  } catch {
    dropSnapshot(files.snapshot);
    await vm.qmp.run('cont').catch(() => {});
    return false;
  }
}

/** Resolves with whichever comes first, and clears the timer. */
export async function within(end: Promise<unknown>, ms = defaultPowerOffTimeoutMs): Promise<void> {
  const timer = new AbortController();
  await Promise.race([end, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}
