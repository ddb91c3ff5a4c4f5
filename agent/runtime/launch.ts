/** Starts a container in a prepared sandbox. */
import { resizeTerminal } from '../kernel/pty.ts';
import { containerSteps } from './container-steps.ts';
import type { ShimProcess } from './running-process.ts';
import type { LaunchRequest } from './runtime.ts';
import type { Sandbox } from './sandbox.ts';
import type { ShimDescriptors, ShimStarter } from './shim.ts';
import { containerShimConfig, openLogDirectory } from './shim-config.ts';
import { startProcess } from './start-process.ts';
import { containerPipes, containerTerminal, type StdioPlan } from './stdio.ts';

/** Takes ownership of the sandbox: its descriptors are closed even when the start fails. */
export async function launch(
  starter: ShimStarter,
  sandbox: Sandbox,
  request: LaunchRequest,
): Promise<ShimProcess> {
  try {
    const pending = await sandbox.takePendingStart()?.finish(sandbox);
    return pending ?? (await launchNow(starter, sandbox, request));
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
  const shimConfig = containerShimConfig(request, descriptors, {
    terminal: sandbox.prepared.terminal !== undefined,
    pidNamespaceFd: pid,
  });
  const stdio = makeStdio(sandbox, request, descriptors);
  let closeLog = () => {};
  try {
    closeLog = openLogDirectory(request, descriptors);
    const steps = containerSteps(spec, sandbox.prepared, placement, stdio.child, descriptors, init);
    const takeRoot = request.keepsRoot ? () => sandbox.takeRoot() : () => undefined;
    const plan = { runDirectory, descriptors, shimConfig, steps, stdio, takeRoot };
    return await startProcess(starter, plan);
  } catch (error) {
    stdio.closeShimEnds();
    stdio.closeAgentEnds();
    throw error;
  } finally {
    closeLog();
  }
}

function makeStdio(
  sandbox: Sandbox,
  request: LaunchRequest,
  descriptors: ShimDescriptors,
): StdioPlan {
  const { terminal } = sandbox.prepared;
  if (terminal === undefined) return containerPipes(request, descriptors);
  const size = request.spec.process.consoleSize;
  if (size !== undefined) resizeTerminal(terminal.masterFd, size.height, size.width);
  return containerTerminal(terminal, descriptors);
}
