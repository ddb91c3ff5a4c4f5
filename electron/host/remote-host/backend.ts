/**
 * Any Linux host reached by SSH: the story of its start, one stage after the other. The engine is
 * brought there once, runs as the host's own service, and goes on when the app disconnects.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'ssh2';
import type { RemoteAddress } from '../../contract/machines.ts';
import {
  type BringUpContext,
  type BroughtUp,
  cancelled,
  type MachineBackend,
  StageFailure,
} from '../machine/machine.ts';
import { unlessCancelled } from '../machine/stage-timeout.ts';
import { ChannelSocket } from '../ssh/channel-socket.ts';
import { openStreamLocal } from '../ssh/connection.ts';
import { checkHost, type HostFacts } from './check.ts';
import { type Bundle, bringBundle, sweepScript, switchScript, undoScript } from './install.ts';
import { type ConnectOptions, logIn, planOf, reachHost } from './login/host-connection.ts';
import { type Ask, Secrets } from './login/secrets.ts';
import { sshSocket, stateDirectory } from './paths.ts';
import { type RemoteShell, remoteShell } from './remote-shell.ts';
import { footprintOf, removeEngine } from './remove.ts';
import { rootOf } from './root.ts';
import { bridgeCommand, isServiceRunning, logOf, returnOfAgent, startService } from './service.ts';

export interface RemoteMachineOptions {
  /** Where it is at first. */
  address: RemoteAddress;
  /** The app's own file of hosts that were confirmed. */
  knownHostsFile: string;
  /** What is brought to a host with this processor; rejects with why there is none. */
  bundleFor(architecture: HostFacts['architecture']): Promise<Bundle>;
  /** The person's home, for `~/.ssh`. */
  home?: string;
  timeoutMs?: number;
}

export interface RemoteBackend extends MachineBackend {
  /** From now on the machine is the computer at this address. Of the one before only what is known stays. */
  moveTo(address: RemoteAddress): Promise<void>;
}

interface Session {
  options: RemoteMachineOptions;
  address: RemoteAddress;
  secrets: Secrets;
  client: Client | undefined;
  /** Aborted with the connection: a login under way for a link that was let go is nobody's. */
  leave: AbortController;
}

export function remoteBackend(options: RemoteMachineOptions): RemoteBackend {
  const session: Session = {
    options,
    address: options.address,
    secrets: new Secrets(),
    client: undefined,
    leave: new AbortController(),
  };
  return {
    kind: 'remote',
    stages: ['reach', 'login', 'check', 'install', 'start'],
    get loginAdvice() {
      return `The engine's keys on ${session.address.host} may have changed since. Disconnect, and connect again.`;
    },
    async moveTo(address) {
      session.address = address;
      // Who only looked at what is there has left a connection, too.
      await disconnect(session);
    },
    bringUp: (context) => bringUp(session, context),
    logs: async (): Promise<Record<string, string>> => {
      // Only over the connection that there is: nobody should be asked for a password for it.
      if (session.client === undefined) return {};
      return { 'agent.log': await logOf(await shellOf(session, async () => undefined)) };
    },
    installation: {
      footprint: async ({ ask }) => footprintOf(await shellOf(session, ask)),
      remove: async (what, { ask }) => {
        try {
          await removeEngine(await shellOf(session, ask), what);
        } finally {
          await disconnect(session);
        }
      },
    },
  };
}

async function bringUp(session: Session, context: BringUpContext): Promise<BroughtUp> {
  const { address } = session;
  const { host } = address;
  await disconnect(session);
  // What is under way on the host hears of it by its channel's end.
  const hangUp = () => session.client?.destroy();
  context.signal.addEventListener('abort', hangUp);
  try {
    const options = connectOptions(session, context.ask, context.signal);
    const { plan, line } = await context.stage('reach', async () => {
      const found = planOf(address, session.options.home);
      return { plan: found, line: await reachHost(found, options) };
    });
    const client = await context.stage('login', () => logIn(plan, line, options));
    keep(session, client);
    const { facts, shell } = await context.stage('check', async () => {
      const made = remoteShell(client, await rootOf(client, plan, session.secrets, context.ask));
      const found = await checkHost(made, host);
      context.note(
        'check',
        `Linux ${found.kernel}, ${found.architecture}, cgroups ${found.cgroups}`,
      );
      return { shell: made, facts: found };
    });
    await bringEngine(session, context, shell, facts);
    return await reached(session, shell);
  } catch (error) {
    await disconnect(session);
    throw error;
  } finally {
    context.signal.removeEventListener('abort', hangUp);
  }
}

/** Brings and starts what is not there yet, and takes back what it began when that fails. */
async function bringEngine(
  { address, options: { bundleFor } }: Session,
  context: BringUpContext,
  shell: RemoteShell,
  facts: HostFacts,
): Promise<void> {
  const { host } = address;
  if (facts.hasOtherAgent) {
    context.note(
      'install',
      'An engine runs there that this app did not bring. It is used as it is.',
    );
    await context.stage('install', async () => {});
    await context.stage('start', async () => {});
    return;
  }
  const before = facts.installed;
  const version = await context.stage('install', async () => {
    const bundle = await unlessCancelled(bundleFor(facts.architecture), context.signal);
    context.note(
      'install',
      bundle.version === before ? `${bundle.version} is there` : bundle.version,
    );
    if (bundle.version === before) return before;
    try {
      await bringBundle(shell, bundle, host, {
        signal: context.signal,
        note: (text) => context.note('install', text),
      });
      context.note('install', bundle.version);
    } catch (error) {
      await shell.runAsRoot(undoScript).catch(() => undefined);
      throw error;
    }
    return bundle.version;
  });
  await context.stage('start', async () => {
    if (version === before && (await isServiceRunning(shell))) {
      await returnOfAgent(shell, host, facts, (text) => context.note('start', text));
      return;
    }
    await switchTo(shell, version, host);
    try {
      await startService(shell, host, facts);
    } catch (error) {
      await goBack(shell, before === version ? undefined : before, host, facts);
      throw error;
    }
    // Only now is the older engine of no use any more.
    await shell.runAsRoot(sweepScript, version);
  });
}

async function switchTo(shell: RemoteShell, version: string, host: string): Promise<void> {
  const { code, err } = await shell.runAsRoot(switchScript, version);
  if (code !== 0)
    throw new StageFailure(
      `The engine ${version} on ${host} cannot be switched to: ${err || `status ${code}`}`,
      'Remove the machine with its program, and add it again.',
    );
}

/** The one that ran before runs again. What became of that is for the next start to tell. */
async function goBack(
  shell: RemoteShell,
  before: string | undefined,
  host: string,
  facts: HostFacts,
): Promise<void> {
  if (before === undefined) return;
  try {
    await switchTo(shell, before, host);
    await startService(shell, host, facts);
  } catch {
    // The failure of the new one is what is told.
  }
}

/** The engine's keys come through the login that there is; they are kept in memory only. */
async function reached(session: Session, shell: RemoteShell): Promise<BroughtUp> {
  const keys = await shell.runAsRoot(
    `cat ${stateDirectory}/ssh/host_ed25519.pub && echo -- && cat ${stateDirectory}/ssh/client_ed25519`,
  );
  const [hostPublicKey, clientPrivateKey] = keys.out.split('\n--\n');
  if (keys.code !== 0 || hostPublicKey === undefined || clientPrivateKey === undefined)
    throw new StageFailure(
      `The engine’s keys in ${stateDirectory}/ssh cannot be read: ${keys.err}`,
      'See that this user is root there or may use sudo.',
    );
  const needsBridge = !(await canForward(shell));
  return {
    endpoint: {
      dial: async () => {
        const client = await clientOf(session);
        const channel = needsBridge
          ? await openBridge(remoteShell(client, shell.root))
          : await openStreamLocal(client, sshSocket);
        return new ChannelSocket(channel);
      },
      hostPublicKey: hostPublicKey.trim(),
      clientPrivateKey: `${clientPrivateKey.trim()}\n`,
    },
    // Each bridge is a session of sshd, and it allows ten of them (MaxSessions).
    oneConnection: needsBridge,
    // A connection that broke is made again, and until then the app says that it broke.
    lost: new Promise(() => {}),
    // Whether the engine runs, is being started again or has to be started is asked on the way.
    startsOver: true,
    stop: () => disconnect(session),
  };
}

/** sshd opens the socket as the user who logged in, and only where AllowStreamLocalForwarding is on. */
async function canForward(shell: RemoteShell): Promise<boolean> {
  try {
    (await openStreamLocal(shell.client, sshSocket)).destroy();
    return true;
  } catch {
    return false;
  }
}

async function openBridge(shell: RemoteShell) {
  const { channel } = await shell.openAsRoot(bridgeCommand);
  // What nobody reads would keep the channel from its end.
  channel.stderr.resume();
  return channel;
}

function connectOptions(
  { options, secrets }: Session,
  ask: Ask | undefined,
  signal?: AbortSignal,
): ConnectOptions {
  const { knownHostsFile, home, timeoutMs } = options;
  return { ask, secrets, knownHostsFile, signal, home, timeoutMs };
}

/** The connection that there is, or a new one with what is known by now. */
async function clientOf(session: Session, ask?: Ask): Promise<Client> {
  if (session.client !== undefined) return session.client;
  const plan = planOf(session.address, session.options.home);
  const { signal } = session.leave;
  const options = connectOptions(session, ask, signal);
  const client = await logIn(plan, await reachHost(plan, options), options);
  if (signal.aborted) {
    client.destroy();
    throw cancelled();
  }
  // Another dial may have been faster.
  if (session.client === undefined) keep(session, client);
  else client.end();
  return session.client ?? client;
}

async function shellOf(session: Session, ask: Ask): Promise<RemoteShell> {
  const client = await clientOf(session, ask);
  const plan = planOf(session.address, session.options.home);
  return remoteShell(client, await rootOf(client, plan, session.secrets, ask));
}

function keep(session: Session, client: Client): void {
  session.client = client;
  client.once('close', () => {
    if (session.client === client) session.client = undefined;
  });
}

/** A host that does not take leave by then is left to the keepalive. */
const leaveMs = 1_000;

async function disconnect(session: Session): Promise<void> {
  session.leave.abort();
  session.leave = new AbortController();
  const { client } = session;
  session.client = undefined;
  if (client === undefined) return;
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.end();
  const timer = new AbortController();
  await Promise.race([closed, sleep(leaveMs, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}
