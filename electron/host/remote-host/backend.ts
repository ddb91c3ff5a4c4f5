/**
 * A Linux host that is reached by SSH, and the stages of connecting to it. The engine is installed there
 * once, runs as a service of the host, and keeps running when the app disconnects.
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
  /** The address at the app's start; `moveTo` changes it. */
  address: RemoteAddress;
  /** The app's own known_hosts file. */
  knownHostsFile: string;
  /** The bundle for an architecture. Rejects where there is none. */
  bundleFor(architecture: HostFacts['architecture']): Promise<Bundle>;
  /** The user's home directory, for `~/.ssh`. */
  home?: string;
  timeoutMs?: number;
}

export interface RemoteBackend extends MachineBackend {
  /** Changes the machine's address. Known secrets and host keys stay. */
  moveTo(address: RemoteAddress): Promise<void>;
}

interface Session {
  options: RemoteMachineOptions;
  address: RemoteAddress;
  secrets: Secrets;
  client: Client | undefined;
  /** Aborts with the connection, so that a login for a closed link ends too. */
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
      // The listing of installed files leaves its connection open, too.
      await disconnect(session);
    },
    bringUp: (context) => bringUp(session, context),
    logs: async (): Promise<Record<string, string>> => {
      // Logs are read only over an existing connection, so that no password is asked for them.
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
  // Commands on the host are ended by their channel's end.
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

/** Installs and starts the engine where needed. A failure undoes what was begun. */
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
    // The older engine is removed only after the new one runs.
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

/** Starts the engine before again. If that fails too, the next start reports it. */
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
    // The failure of the new engine is the one that is reported.
  }
}

/** The engine's keys are read over the login's connection, and are kept only in memory. */
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
    // Each bridge is a session of sshd, which allows ten per connection (MaxSessions, sshd_config(5)).
    oneConnection: needsBridge,
    // A broken connection is made again, and until then the UI shows it as lost.
    lost: new Promise(() => {}),
    // A reconnect also checks whether the engine runs, and starts it if it does not.
    startsOver: true,
    stop: () => disconnect(session),
  };
}

/** sshd connects to the socket as the login's user, and only with AllowStreamLocalForwarding (sshd_config(5)). */
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
  // Unread output would keep the channel from closing.
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

/** The current connection, or a new one that uses only known secrets. */
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
  // A concurrent dial may have connected first.
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

/** A host that has not closed the connection by then is left to the keepalive. */
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
