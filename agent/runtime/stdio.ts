/**
 * Who holds which end of a process's stdio. A container's output is read by its shim, because that
 * outlives the agent. An exec's output is read by the agent, which can apply back pressure.
 */
import { closeSync } from 'node:fs';
import { makePipe } from '../kernel/pipe.ts';
import { duplicateFrom } from '../kernel/process.ts';
import type { Terminal } from '../kernel/pty.ts';
import { ShimFd } from './plan.ts';
import type { LaunchRequest, ProcessStdio } from './runtime.ts';
import type { ShimDescriptors } from './shim.ts';

export class StdioPlan {
  /**
   * The shim's numbers of the child's stdin, stdout and stderr. Undefined means the container's
   * /dev/null.
   */
  readonly child: readonly (number | undefined)[];
  readonly agent: ProcessStdio;
  readonly #shimEnds: number[];

  constructor(child: readonly (number | undefined)[], agent: ProcessStdio, shimEnds: number[]) {
    this.child = child;
    this.agent = agent;
    this.#shimEnds = shimEnds;
  }

  /** Called once the shim has its copies. */
  closeShimEnds(): void {
    for (const fd of this.#shimEnds.splice(0)) closeSync(fd);
  }

  /** Called when no process was started. */
  closeAgentEnds(): void {
    closeStdio(this.agent);
  }
}

export function closeStdio(stdio: ProcessStdio): void {
  for (const name of ['stdinFd', 'stdoutFd', 'stderrFd', 'terminalFd'] as const) {
    const fd = stdio[name];
    if (fd === undefined) continue;
    delete stdio[name];
    closeSync(fd);
  }
}

/**
 * A container's terminal. The shim holds the master, and the slave too so that the master never
 * hangs up.
 */
export function containerTerminal(terminal: Terminal, descriptors: ShimDescriptors): StdioPlan {
  descriptors.set(ShimFd.input, terminal.masterFd);
  descriptors.set(ShimFd.out, terminal.slaveFd);
  const slave = descriptors.add(terminal.slaveFd);
  // The sandbox closes the original descriptor.
  const terminalFd = duplicateFrom(terminal.masterFd, 3);
  return new StdioPlan([slave, slave, slave], { terminalFd }, []);
}

/** A container's pipes. Its output goes to the shim's log, to the agent, or nowhere. */
export function containerPipes(
  { openStdin, log, pipesOutput }: Pick<LaunchRequest, 'openStdin' | 'log' | 'pipesOutput'>,
  descriptors: ShimDescriptors,
): StdioPlan {
  const shimEnds: number[] = [];
  const agent: ProcessStdio = {};
  const child: (number | undefined)[] = [undefined, undefined, undefined];
  if (openStdin) {
    const { readFd, writeFd } = makePipe();
    child[0] = descriptors.add(readFd);
    descriptors.set(ShimFd.input, writeFd);
    agent.stdinFd = writeFd;
    shimEnds.push(readFd);
  }
  for (const [number, shimFd, agentEnd] of [
    [1, ShimFd.out, 'stdoutFd'],
    [2, ShimFd.err, 'stderrFd'],
  ] as const) {
    if (log === undefined && pipesOutput !== true) continue;
    const { readFd, writeFd } = makePipe();
    child[number] = descriptors.add(writeFd);
    shimEnds.push(writeFd);
    if (log === undefined) {
      agent[agentEnd] = readFd;
    } else {
      descriptors.set(shimFd, readFd);
      shimEnds.push(readFd);
    }
  }
  return new StdioPlan(child, agent, shimEnds);
}

export function execTerminal(terminal: Terminal, descriptors: ShimDescriptors): StdioPlan {
  const slave = descriptors.add(terminal.slaveFd);
  const agent = { terminalFd: terminal.masterFd };
  return new StdioPlan([slave, slave, slave], agent, [terminal.slaveFd]);
}

export function execPipes(openStdin: boolean, descriptors: ShimDescriptors): StdioPlan {
  const stdin = openStdin ? makePipe() : undefined;
  const [stdout, stderr] = [makePipe(), makePipe()];
  const agent: ProcessStdio = { stdoutFd: stdout.readFd, stderrFd: stderr.readFd };
  const shimEnds = [stdout.writeFd, stderr.writeFd];
  if (stdin !== undefined) {
    agent.stdinFd = stdin.writeFd;
    shimEnds.push(stdin.readFd);
  }
  const child = [stdin?.readFd, stdout.writeFd, stderr.writeFd].map((fd) =>
    fd === undefined ? undefined : descriptors.add(fd),
  );
  return new StdioPlan(child, agent, shimEnds);
}
