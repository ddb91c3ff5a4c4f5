/**
 * A machine in WSL 2: a distribution of its own, imported by wsl.exe from the system image of the app.
 * The user's `.wslconfig` and other distributions are never changed.
 *
 * All state is in the distribution's one disk. A new system image is unpacked into a directory beside
 * the old one and used from the next start on
 * (docs/decisions/0015-one-distribution-many-systems.md), so that an update replaces no data.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  type BringUpContext,
  type BroughtUp,
  type Installation,
  type Loss,
  type MachineBackend,
  StageFailure,
} from '../machine/machine.ts';
import { type GuestKeys, guestKeysIn } from '../virtual-machine/keys.ts';
import { type AgentRun, runAgent } from './agent-run.ts';
import type { WslProgram } from './command.ts';
import { wslControls } from './controls.ts';
import { detectWsl } from './detect.ts';
import { Distribution } from './distribution.ts';
import { type GuestFacts, guestFiles } from './guest-files.ts';
import { dialThrough } from './line.ts';
import { networkModeOf } from './network-mode.ts';
import { changeRecord, readRecord } from './record.ts';
import { openRoot, type RootImage, verifyRoot } from './root-image.ts';
import type { WslApi } from './wslapi.ts';

export interface WslMachineOptions extends GuestFacts {
  wsl: WslProgram;
  api: WslApi | undefined;
  /** The distribution's name, as `wsl --list` shows it. */
  name: string;
  /** The machine's directory on Windows. */
  directory: string;
  /** Called at each start. */
  image(): RootImage;
}

const guest = '/usr/lib/corten/wsl-guest';

export function wslBackend(options: WslMachineOptions): MachineBackend {
  const distribution = new Distribution({
    ...options,
    directory: join(options.directory, 'disk'),
  });
  let last: AgentRun | undefined;
  const keep = (agent: AgentRun) => {
    last = agent;
  };
  return {
    kind: 'wsl2',
    stages: ['wsl', 'system', 'agent'],
    loginAdvice:
      `The keys in ${join(options.directory, 'keys')} are not those that the machine was given. ` +
      'Remove the machine and create it again, or bring back its folder from a backup.',
    bringUp: (context) => bringUp(options, distribution, context, keep),
    logs: async () => ({ 'agent.log': last?.said() ?? '' }),
    controls: (reach) => wslControls(distribution, recordPathOf(options), reach),
    installation: installationOf(distribution),
  };
}

/** The distribution with all its contents is the only thing to remove. */
function installationOf(distribution: Distribution): Installation {
  return {
    async footprint() {
      const isThere = (await distribution.version()) !== undefined;
      const path = distribution.diskPath;
      return { items: isThere ? [{ part: 'state', path }] : [], runningContainers: 0 };
    },
    async remove({ state }) {
      if (state && (await distribution.version()) !== undefined) await distribution.unregister();
    },
  };
}

async function bringUp(
  options: WslMachineOptions,
  distribution: Distribution,
  { stage, note, signal }: BringUpContext,
  keep: (agent: AgentRun) => void,
): Promise<BroughtUp> {
  const version = await stage('wsl', async () => {
    const [found] = await Promise.all([
      distribution.version(signal),
      detectWsl(options.wsl, signal),
    ]);
    return found;
  });
  const keys = guestKeysIn(join(options.directory, 'keys'));
  const tell = (text: string | undefined) => note('system', text);
  const system = await stage('system', () =>
    prepareSystem(options, distribution, version, { signal, tell }).finally(() => tell(undefined)),
  );
  const agent = await stage('agent', async () => {
    const mode = await networkModeOf(distribution, signal);
    note('agent', mode.note);
    const agentArguments = [...options.agentArguments, ...mode.agentArguments];
    await giveFiles({ ...options, agentArguments }, distribution, keys, signal);
    return startAgent(options, distribution, system, signal);
  });
  keep(agent);
  const { isEnding, ...life } = lifeOf(agent, distribution);
  const dial = dialThrough(options.wsl, distribution);
  return {
    endpoint: {
      async dial() {
        // The link reconnects by itself, and a dial would start the stopped distribution again.
        if (isEnding()) throw new Error('The machine is ending.');
        return dial();
      },
      hostPublicKey: keys.host.public,
      clientPrivateKey: keys.client.private,
    },
    // A dial starts a wsl.exe, which takes a tenth of a second, so further connections go through the first.
    oneConnection: true,
    ...life,
  };
}

interface System {
  /** True when this start unpacked a new system; the one before is still there. */
  isNew: boolean;
}

/** Makes sure that the distribution exists, is of WSL 2, and contains the app's system image. */
async function prepareSystem(
  options: WslMachineOptions,
  distribution: Distribution,
  version: 1 | 2 | undefined,
  { signal, tell }: { signal: AbortSignal; tell(text: string): void },
): Promise<System> {
  const image = options.image();
  const open = () => openRoot(image, (percent) => tell(`Unpacking the system: ${percent} %`));
  const recordPath = recordPathOf(options);
  if (version === undefined) {
    await verifyRoot(image, signal);
    await distribution.import(open(), signal);
    changeRecord(recordPath, { root: image.sha256 });
    return { isNew: false };
  }
  if (version === 1)
    throw new StageFailure(
      `The distribution "${distribution.name}" is set to WSL 1, which has no kernel of its own.`,
      `Set it back with "wsl --set-version ${distribution.name} 2", and start the machine again.`,
    );
  const record = readRecord(recordPath);
  if (record?.root === image.sha256 || record?.refusedRoot === image.sha256)
    return { isNew: false };
  await verifyRoot(image, signal);
  await distribution.run([guest, 'receive', image.sha256], 'update', {
    input: open(),
    signal,
    timeoutMs: 600_000,
  });
  changeRecord(recordPath, {
    root: image.sha256,
    previousRoot: record?.root,
    refusedRoot: undefined,
  });
  return { isNew: record !== undefined };
}

/** Writes the machine's files into the distribution when they have changed. */
async function giveFiles(
  options: WslMachineOptions,
  distribution: Distribution,
  keys: GuestKeys,
  signal: AbortSignal,
): Promise<void> {
  const files = await guestFiles(keys, options);
  const given = createHash('sha256').update(files).digest('hex');
  const record = readRecord(recordPathOf(options));
  if (record === undefined || record.given === given) return;
  await distribution.run([guest, 'give'], 'prepare', { input: Readable.from([files]), signal });
  changeRecord(recordPathOf(options), { given });
}

/** Returns to the system before when the engine of the new one does not answer. */
async function startAgent(
  options: WslMachineOptions,
  distribution: Distribution,
  { isNew }: System,
  signal: AbortSignal,
): Promise<AgentRun> {
  const recordPath = recordPathOf(options);
  const record = readRecord(recordPath);
  try {
    const agent = await runAgent(options.wsl, distribution, signal);
    if (record?.previousRoot !== undefined) changeRecord(recordPath, { previousRoot: undefined });
    return agent;
  } catch (error) {
    // This ends everything that the new system had started, containers included.
    await distribution.terminate().catch(() => {});
    if (!isNew || signal.aborted || record?.previousRoot === undefined) throw error;
    await distribution.run([guest, 'revert'], 'go back in');
    changeRecord(recordPath, {
      root: record.previousRoot,
      previousRoot: undefined,
      refusedRoot: record.root,
    });
    throw new StageFailure(
      `The machine's new system does not start: ${(error as Error).message}`,
      'Start it again: it continues with the system image before. Please report this.',
      { cause: error },
    );
  }
}

function lifeOf(
  agent: AgentRun,
  distribution: Distribution,
): Pick<BroughtUp, 'lost' | 'stop'> & { isEnding(): boolean } {
  let isStopping = false;
  return {
    isEnding: () => isStopping,
    lost: new Promise<Loss>((resolve) => {
      void agent.end.then((cause) => {
        if (isStopping) return;
        resolve({
          stage: 'agent',
          cause: `${cause} Its containers have ended too.`,
          nextStep: 'Start the machine again.',
        });
      });
    }),
    stop: async ({ force = false }) => {
      isStopping = true;
      if (!force) await agent.askToEnd();
      try {
        await distribution.terminate();
      } finally {
        agent.kill();
      }
    },
  };
}

function recordPathOf({ directory }: WslMachineOptions): string {
  return join(directory, 'machine.json');
}
