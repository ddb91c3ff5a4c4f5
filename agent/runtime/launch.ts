/** From a prepared sandbox to a running container. */
import { closeSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDirectory } from '../kernel/files.ts';
import { resizeTerminal } from '../kernel/pty.ts';
import { birthDuties, containerSteps } from './container-steps.ts';
import { type ShimDuties, ShimFd } from './plan.ts';
import type { ShimProcess } from './running-process.ts';
import type { LaunchRequest, LogPlan } from './runtime.ts';
import type { Sandbox } from './sandbox.ts';
import type { ShimDescriptors, ShimStarter } from './shim.ts';
import { startProcess } from './start-process.ts';
import { containerPipes, containerTerminal, type StdioPlan } from './stdio.ts';

/** Takes the sandbox over: its descriptors are closed, whether the start succeeds or not. */
export async function launch(
  starter: ShimStarter,
  sandbox: Sandbox,
  request: LaunchRequest,
): Promise<ShimProcess> {
  try {
    const begun = await sandbox.takeEarlyStart()?.finish(sandbox);
    return begun ?? (await launchNow(starter, sandbox, request));
  } finally {
    await sandbox.close();
  }
}

async function launchNow(
  starter: ShimStarter,
  sandbox: Sandbox,
  request: LaunchRequest,
): Promise<ShimProcess> {
  await sandbox.ready;
  const { spec, runDirectory, placement, init } = request;
  const descriptors = starter.descriptors();
  const { pid } = sandbox.prepared.namespaces;
  const duties = containerDuties(request, descriptors, {
    terminal: sandbox.prepared.terminal !== undefined,
    pidNamespaceFd: pid,
  });
  const stdio = makeStdio(sandbox, request, descriptors);
  let closeLog = () => {};
  try {
    closeLog = openLogDirectory(request, descriptors);
    const steps = containerSteps(spec, sandbox.prepared, placement, stdio.child, descriptors, init);
    const takeRoot = request.keepsRoot ? () => sandbox.takeRoot() : () => undefined;
    const plan = { runDirectory, descriptors, duties, steps, stdio, takeRoot };
    return await startProcess(starter, plan);
  } catch (error) {
    stdio.closeShimEnds();
    stdio.closeAgentEnds();
    throw error;
  } finally {
    closeLog();
  }
}

/** Opened for the shim, which has its own copy once it has told of the start. Returns what closes it. */
export function openLogDirectory({ log }: LaunchRequest, descriptors: ShimDescriptors): () => void {
  if (log === undefined) return () => {};
  const fd = openDirectory(log.directory);
  descriptors.set(ShimFd.logDirectory, fd);
  return () => closeSync(fd);
}

function makeStdio(
  sandbox: Sandbox,
  { spec, openStdin, log }: LaunchRequest,
  descriptors: ShimDescriptors,
): StdioPlan {
  const { terminal } = sandbox.prepared;
  if (terminal === undefined) return containerPipes(openStdin, log !== undefined, descriptors);
  const size = spec.process.consoleSize;
  if (size !== undefined) resizeTerminal(terminal.masterFd, size.height, size.width);
  return containerTerminal(terminal, descriptors);
}

/** `made`: what the sandbox has, of what the shim itself needs. */
export function containerDuties(
  { spec, placement: { directoryFd }, openStdin, log }: LaunchRequest,
  descriptors: ShimDescriptors,
  { terminal = false, pidNamespaceFd }: { terminal?: boolean; pidNamespaceFd?: number | undefined },
): ShimDuties {
  return {
    ...birthDuties(spec),
    cgroupFd: directoryFd === undefined ? undefined : descriptors.add(directoryFd),
    pidNamespaceFd: pidNamespaceFd === undefined ? undefined : descriptors.add(pidNamespaceFd),
    input: openStdin || terminal,
    output: terminal || log !== undefined,
    terminal,
    log: log === undefined ? undefined : planLog(log),
  };
}

/** Goes on in the last file of an earlier run, and drops what is beyond `maxFiles`. */
function planLog({ directory, maxBytes, maxFiles }: LogPlan): NonNullable<ShimDuties['log']> {
  const numbers = readdirSync(directory)
    .map((name) => /^(\d{8})\.log$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number);
  const last = Math.max(1, ...numbers);
  for (const number of numbers)
    if (maxFiles > 0 && number <= last - maxFiles)
      rmSync(join(directory, `${String(number).padStart(8, '0')}.log`), { force: true });
  return { firstFile: last, maxBytes, maxFiles };
}
