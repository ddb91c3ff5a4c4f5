/** Freezes and thaws all processes of a cgroup. */
import { CortenError } from '../errors.ts';
import { readControlIfAny, readKeyed, writeControl } from './control-file.ts';

const defaultAttempts = 5000;
const pauseMs = 0.1;
/** A child forked at the wrong moment escapes a v1 freeze; repeating the freeze catches it. */
const attemptsPerRound = 500;

/** freezer-subsystem.rst: FREEZING becomes FROZEN when the last process has stopped. */
export function freezeV1(directory: string, attempts = defaultAttempts): void {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    writeControl(directory, 'freezer.state', 'FROZEN');
    if (readControlIfAny(directory, 'freezer.state') === 'FROZEN') return;
    if (attempt % attemptsPerRound === 0) thawV1(directory);
    pause();
  }
  thawV1(directory);
  throw cannotFreeze(directory);
}

export function thawV1(directory: string): void {
  writeControl(directory, 'freezer.state', 'THAWED');
}

/** Also while the last of its processes is still being stopped. */
export function isFrozenV1(directory: string): boolean {
  return (readControlIfAny(directory, 'freezer.state') ?? 'THAWED') !== 'THAWED';
}

export function isFrozenV2(directory: string): boolean {
  return readControlIfAny(directory, 'cgroup.freeze') === '1';
}

export function freezeV2(directory: string): void {
  writeControl(directory, 'cgroup.freeze', 1);
  for (let attempt = 1; attempt <= defaultAttempts; attempt += 1) {
    const { frozen, populated } = readKeyed(directory, 'cgroup.events');
    if (frozen === 1 || populated === 0) return;
    pause();
  }
  thawV2(directory);
  throw cannotFreeze(directory);
}

export function thawV2(directory: string): void {
  writeControl(directory, 'cgroup.freeze', 0);
}

function cannotFreeze(directory: string): CortenError {
  return new CortenError(
    'internal',
    `The processes of ${directory} did not freeze: one of them waits in the kernel, most likely for a disk. They go on as before; try again.`,
  );
}

/** Blocks the thread, because nothing else may happen during a freeze. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
}
