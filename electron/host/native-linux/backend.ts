/**
 * Uses this Linux host as the machine. The app starts an agent if none runs for these directories, and
 * stops only an agent that it started; containers run on in either case.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BringUpContext,
  type BroughtUp,
  type MachineBackend,
  StageFailure,
} from '../machine/machine.ts';
import { dialSocket, type SshEndpoint } from '../ssh/endpoint.ts';
import { type AgentProcess, isAgentRunning, startAgent } from './agent-process.ts';

export interface NativeMachineOptions {
  /** The program and its first arguments: `scripts/agent`. */
  agentCommand: readonly string[];
  rootDirectory: string;
  runDirectory: string;
  /** How long a started agent may take to be ready. */
  readyTimeoutMs?: number;
}

export function nativeBackend(options: NativeMachineOptions): MachineBackend {
  const log = join(options.runDirectory, 'agent.log');
  return {
    kind: 'native',
    stages: ['agent'],
    loginAdvice:
      `Look at ${log}, and check that ${join(options.rootDirectory, 'ssh')} belongs to this ` +
      'agent.',
    bringUp: (context) => context.stage('agent', () => bringUp(options, log, context)),
    logs: async () => ({ 'agent.log': readFileSync(log, 'utf8') }),
  };
}

async function bringUp(
  options: NativeMachineOptions,
  log: string,
  { signal }: BringUpContext,
): Promise<BroughtUp> {
  const isRunning = await isAgentRunning(options.runDirectory);
  const agent = isRunning ? undefined : await startAgent(options, signal);
  try {
    return { endpoint: nativeEndpoint(options), ...lifeOf(agent, log) };
  } catch (error) {
    await agent?.stop();
    throw error;
  }
}

/** Without `agent`, which was found running, only the lost connection shows that it ended. */
function lifeOf(agent: AgentProcess | undefined, log: string): Pick<BroughtUp, 'lost' | 'stop'> {
  let isStopping = false;
  const lost = new Promise<Awaited<BroughtUp['lost']>>((resolve) => {
    void agent?.end.then((how) => {
      if (isStopping) return;
      resolve({
        stage: 'agent',
        cause: `The engine ended: ${how}. Containers go on running without it.`,
        nextStep: `Start it again. Its last output is in ${log}.`,
      });
    });
  });
  return {
    lost,
    stop: async () => {
      isStopping = true;
      await agent?.stop();
    },
  };
}

/** The endpoint of this computer's agent, which makes its keys at its first start (agent/ssh/keys.ts). */
export function nativeEndpoint({
  rootDirectory,
  runDirectory,
}: Pick<NativeMachineOptions, 'rootDirectory' | 'runDirectory'>): SshEndpoint {
  const keys = join(rootDirectory, 'ssh');
  try {
    return {
      dial: dialSocket({ path: join(runDirectory, 'ssh.sock') }),
      hostPublicKey: readFileSync(join(keys, 'host_ed25519.pub'), 'utf8'),
      clientPrivateKey: readFileSync(join(keys, 'client_ed25519'), 'utf8'),
    };
  } catch (error) {
    throw new StageFailure(
      `The keys in ${keys} cannot be read: ${(error as Error).message}`,
      'Start the app as the user who owns them, which is root for the system-wide engine.',
      { cause: error },
    );
  }
}
