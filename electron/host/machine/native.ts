/**
 * This Linux host as the machine. The app starts the agent if none runs for these directories, and
 * stops at the end only an agent that it started; containers go on in either case.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MachineState } from '../../contract/bridge.ts';
import { createEngineClient, type EngineClient } from '../engine-client.ts';
import { ChannelSocket } from '../ssh/channel-socket.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import { createSshLink, type SshLink } from '../ssh/link.ts';
import { type AgentProcess, isAgentRunning, startAgent } from './agent-process.ts';
import { type Machine, MachineNotRunning, StageFailure } from './machine.ts';
import { Stages } from './stages.ts';

export interface NativeMachineOptions {
  /** The program and its first arguments: `scripts/agent`. */
  agentCommand: readonly string[];
  rootDirectory: string;
  runDirectory: string;
}

export function createNativeMachine(options: NativeMachineOptions): Machine {
  const stages = new Stages('native', ['agent', 'connect', 'engine']);
  let agent: AgentProcess | undefined;
  let link: SshLink | undefined;
  let engine: EngineClient | undefined;
  let calledOff = new AbortController();
  let starting: Promise<MachineState> | undefined;

  async function climb(): Promise<MachineState> {
    letGo();
    calledOff = new AbortController();
    stages.begin();
    try {
      await stages.run('agent', async () => {
        if (await isAgentRunning(options.runDirectory)) return;
        const started = await startAgent(options, calledOff.signal);
        agent = started;
        void started.end.then((how) => reportEnd(started, how));
      });
      const connected = await stages.run('connect', () => connect(options));
      link = connected;
      const client = createEngineClient(
        async () => new ChannelSocket(await connected.openApiChannel()),
      );
      engine = client;
      await stages.run('engine', () => ping(client));
      stages.finish('running');
      connected.onConnection((isUp) => follow(connected, isUp));
    } catch {
      // The stage that failed has said why in the state.
      letGo();
    }
    return stages.state;
  }

  /** The link connects again by itself; a person may also start the machine again. */
  function follow(of: SshLink, isUp: boolean): void {
    // An earlier start's link ends when it is let go; that is no loss to report.
    if (of !== link) return;
    if (isUp) stages.finish('running');
    // That the engine itself ended says more, and has been said.
    else if (stages.state.status !== 'failed')
      stages.lose(
        'connect',
        'The connection to the engine was lost.',
        'It is being made again. If the engine has stopped, start it again.',
      );
  }

  /** Of the agent that this app started; one that was asked to stop is not told about. */
  function reportEnd(of: AgentProcess, how: string): void {
    if (of !== agent || stages.state.status === 'starting' || calledOff.signal.aborted) return;
    agent = undefined;
    stages.lose(
      'agent',
      `The engine ended: ${how}. Containers go on running without it.`,
      `Start it again. What it said last is in ${join(options.runDirectory, 'agent.log')}.`,
    );
  }

  function letGo(): void {
    const [oldEngine, oldLink] = [engine, link];
    engine = undefined;
    link = undefined;
    oldEngine?.close();
    oldLink?.close();
  }

  function running<T>(part: T | undefined): T {
    if (part === undefined) throw new MachineNotRunning(stages.state.status);
    return part;
  }

  return {
    state: () => stages.state,
    watch: (signal) => stages.watch(signal),
    start() {
      if (stages.state.status === 'running') return Promise.resolve(stages.state);
      starting ??= climb().finally(() => {
        starting = undefined;
      });
      return starting;
    },
    async stop() {
      calledOff.abort();
      await starting;
      letGo();
      await agent?.stop();
      agent = undefined;
      stages.finish('stopped');
      return stages.state;
    },
    engine: () => running(engine),
    endpoint: () => running(link).endpoint,
  };
}

async function connect(options: NativeMachineOptions): Promise<SshLink> {
  const link = createSshLink(endpointOf(options));
  try {
    await link.connect();
    return link;
  } catch (error) {
    link.close();
    throw new StageFailure(
      `The agent does not let the app in: ${(error as Error).message}`,
      `Look at ${join(options.runDirectory, 'agent.log')}, and check that ` +
        `${join(options.rootDirectory, 'ssh')} belongs to this agent.`,
      { cause: error },
    );
  }
}

/** The agent makes these on its first start (agent/ssh/keys.ts). */
function endpointOf({ rootDirectory, runDirectory }: NativeMachineOptions): SshEndpoint {
  const keys = join(rootDirectory, 'ssh');
  try {
    return {
      place: { path: join(runDirectory, 'ssh.sock') },
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

async function ping(engine: EngineClient): Promise<void> {
  const { status } = await engine.request({ method: 'GET', path: '/_ping' });
  if (status !== 200)
    throw new StageFailure(
      `The engine answered its first question with status ${status}.`,
      'Start it again; the log has the details.',
    );
}
