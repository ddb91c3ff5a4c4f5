/** From a prepared sandbox to a running container. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDirectory, withFd } from '../kernel/files.ts';
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
    await sandbox.ready;
    return await (request.log === undefined
      ? launchWith(starter, sandbox, request, undefined)
      : // The shim gets its own copy of the log directory when it is spawned, before anything waits.
        withFd(openDirectory(request.log.directory), (fd) =>
          launchWith(starter, sandbox, request, fd),
        ));
  } finally {
    sandbox.close();
  }
}

function launchWith(
  starter: ShimStarter,
  sandbox: Sandbox,
  request: LaunchRequest,
  logDirectoryFd: number | undefined,
): Promise<ShimProcess> {
  const { spec, runDirectory, placement, init } = request;
  const descriptors = starter.descriptors();
  if (logDirectoryFd !== undefined) descriptors.set(ShimFd.logDirectory, logDirectoryFd);
  const duties = shimDuties(sandbox, request, descriptors);
  const stdio = makeStdio(sandbox, request, descriptors);
  try {
    const steps = containerSteps(spec, sandbox.prepared, placement, stdio.child, descriptors, init);
    const takeOverlay = request.keepsRoot ? () => sandbox.takeOverlay() : () => undefined;
    return startProcess(starter, {
      ...{ runDirectory, descriptors, duties, steps, stdio },
      takeOverlay,
    });
  } catch (error) {
    stdio.closeShimEnds();
    stdio.closeAgentEnds();
    throw error;
  }
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

function shimDuties(
  sandbox: Sandbox,
  { spec, placement, openStdin, log }: LaunchRequest,
  descriptors: ShimDescriptors,
): ShimDuties {
  const terminal = sandbox.prepared.terminal !== undefined;
  const { pid } = sandbox.prepared.namespaces;
  return {
    ...birthDuties(spec),
    cgroupFd:
      placement.directoryFd === undefined ? undefined : descriptors.add(placement.directoryFd),
    pidNamespaceFd: pid === undefined ? undefined : descriptors.add(pid),
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
