/** Waits from the start of the VM's process until the guest's SSH server listens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuestReport, readConsoleLine } from '../../../agent/contract/guest-console.ts';
import { lastLines } from '../machine/last-lines.ts';
import { type BringUpContext, cancelled, StageFailure } from '../machine/machine.ts';
import { followLines } from './console.ts';
import { textOf } from './process.ts';

export interface BootOptions {
  consoleLog: string;
  dataDisk: string;
  /** The program's name for the user, such as QEMU. */
  program: string;
  /** Resolves with how the process ended. */
  ended: Promise<string>;
  /** Since the last console line: a slow computer may boot as long as it makes progress. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Whether the machine is halted by a disk error, which is shown already. */
  isHeld?(): boolean;
  note(text: string): void;
  /** Shows that a damaged file system was repaired. */
  repaired(text: string): void;
}

const corruptDisk = new Set(['damaged', 'damaged-log', 'not-blank', 'not-made', 'missing']);

/** Rejects with StageFailure, whose text includes the guest's last lines. */
export async function waitForBoot(options: BootOptions): Promise<void> {
  const watching = new AbortController();
  const stop = () => watching.abort();
  options.signal.addEventListener('abort', stop);
  const progress = { at: performance.now(), stage: 'kernel' };
  try {
    await Promise.race([
      follow(options, progress, watching.signal),
      options.ended.then(async (how) => {
        // The guest's last lines explain more than the exit status of its process.
        await sleep(100);
        throw endedWhileBooting(options, how, progress.stage);
      }),
      silence(options, progress, watching.signal),
    ]);
    if (options.signal.aborted) throw cancelled();
  } finally {
    options.signal.removeEventListener('abort', stop);
    watching.abort();
  }
}

export function throwIfCancelled({ signal }: BringUpContext): void {
  if (signal.aborted) throw cancelled();
}

async function follow(
  options: BootOptions,
  progress: { at: number; stage: string },
  signal: AbortSignal,
): Promise<void> {
  let agentEnds = 0;
  for await (const line of followLines(options.consoleLog, signal)) {
    progress.at = performance.now();
    const event = readConsoleLine(line);
    if (event === undefined) continue;
    if (event.kind === 'ready') return;
    if (event.kind === 'stage') {
      progress.stage = event.stage;
      options.note(event.stage);
    } else if (event.kind === 'repaired') options.repaired(event.sentence);
    else if (event.kind === 'failed' || event.kind === 'panic') throw guestFailure(options, event);
    else if (++agentEnds === 3) throw agentKeepsEnding(options, event.status);
  }
}

async function silence(
  options: BootOptions,
  progress: { at: number; stage: string },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (options.isHeld?.()) progress.at = performance.now();
    const leftMs = progress.at + options.timeoutMs - performance.now();
    if (leftMs <= 0)
      throw new StageFailure(
        `The machine stopped answering while it started, at "${progress.stage}". ${said(options)}`,
        'Start it again. If it stays so, the computer may be too busy, or the disk too slow: close other programs.',
      );
    await sleep(Math.min(leftMs, 250), undefined, { signal }).catch(() => {});
  }
}

function guestFailure(
  options: BootOptions,
  event: Extract<GuestReport, { kind: 'failed' | 'panic' }>,
): StageFailure {
  if (event.kind === 'panic')
    return new StageFailure(
      `The machine's Linux stopped: ${event.sentence}.`,
      `Start it again. If it stays so, give it more memory; its last lines are in ${options.consoleLog}.`,
    );
  // The guest's sentence names the next step, but not the path of the disk's file.
  const [first = event.sentence, ...rest] = event.sentence.split(/(?<=\.) /);
  return corruptDisk.has(event.cause) && event.stage.startsWith('data-disk')
    ? new StageFailure(
        `${first} It is ${options.dataDisk}.`,
        rest.join(' ') || 'Restore it from a backup.',
      )
    : new StageFailure(first, rest.join(' ') || 'Start it again, or install the app again.');
}

function agentKeepsEnding(options: BootOptions, status: number): StageFailure {
  return new StageFailure(
    `The engine inside the machine ends as soon as it starts (status ${status}). ${said(options)}`,
    `Its output is in ${options.consoleLog}. Installing the app again repairs the machine's system image.`,
  );
}

function endedWhileBooting(options: BootOptions, how: string, stage: string): StageFailure {
  for (const line of textOf(options.consoleLog).split(/\r*\n/)) {
    const event = readConsoleLine(line);
    if (event?.kind === 'failed' || event?.kind === 'panic') return guestFailure(options, event);
  }
  return new StageFailure(
    `${options.program} ended while the machine started, at "${stage}": ${how}. ${said(options)}`,
    `Start it again. If it stays so, update ${options.program}.`,
  );
}

function said({ consoleLog }: BootOptions): string {
  const words = lastLines(textOf(consoleLog));
  return words === '' ? 'It wrote nothing.' : `Its last output: ${words}`;
}
