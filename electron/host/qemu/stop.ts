/** How a machine in QEMU ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import type { StopOptions } from '../machine/machine.ts';
import { readRecord } from '../virtual-machine/record.ts';
import type { RunningQemu, Session } from './session.ts';
import { canSnapshot, dropSnapshot, saveSnapshot, snapshotKey } from './snapshot.ts';

/** A QEMU that hangs is killed; one that does not closes its disk in good order. */
const forcedQuitMs = 3_000;
/** Containers get their own ten seconds to end, and the disk must be let go; emulated, that takes long. */
const defaultPowerOffTimeoutMs = 120_000;

/** Its memory is kept where that works; else its power button is pressed, and it is ended if it does not listen. */
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
      // It could neither write out what it has nor turn itself off.
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

/** Undone by nothing: a machine whose memory cannot be saved is powered off. */
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
    // What containers have written is then on the disk, whatever becomes of the saved memory.
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

/** Settles with the first of both, and leaves no timer. */
export async function within(end: Promise<unknown>, ms = defaultPowerOffTimeoutMs): Promise<void> {
  const timer = new AbortController();
  await Promise.race([end, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}
