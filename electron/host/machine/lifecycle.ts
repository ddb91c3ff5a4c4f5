/**
 * The life of any machine: its backend brings it up, then the app connects, then the engine answers
 * and companions begin. What is lost on the way shows as a failed state, with cause and next step.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineState } from '../../contract/machines.ts';
import { createEngineClient, type EngineClient } from '../engine-client.ts';
import type { HostPower } from '../idle-pause/host-power.ts';
import {
  quietEngine,
  quietLink,
  Rest,
  wakingEndpoint,
  wakingEngine,
  wakingLink,
} from '../idle-pause/idle-pause.ts';
import { ChannelSocket } from '../ssh/channel-socket.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';
import { connectTo, firstAnswer, type Patience, ping } from './connect.ts';
import {
  type Accompaniment,
  type Asked,
  type BroughtUp,
  type Companion,
  type Machine,
  type MachineBackend,
  type MachineControls,
  MachineNotRunning,
  type StopOptions,
} from './machine.ts';
import { inTime } from './stage-timeout.ts';
import { Stages } from './stages.ts';

/** What there is while a machine is up. */
interface Up {
  ground: BroughtUp;
  link: SshLink;
  services: ServiceLink;
  engine: EngineClient;
  endpoint: SshEndpoint;
  /** As `engine`, without that being a use of the machine. */
  background: EngineClient;
  rest: Rest | undefined;
  restListeners: Set<(isResting: boolean) => void>;
  companions: Accompaniment[];
}

/** Longer than an emulated machine on a busy computer takes to begin with folders after its boot. */
const companionPatienceMs = 60_000;
/** Longer than any backend's own patience: ten minutes for WSL to unpack its system, and a slow disk. */
const defaultStageMs = 15 * 60_000;
/** A machine that is being ended, with containers in it, takes its time. */
const defaultGraceMs = 60_000;

export interface MachineOptions {
  backend: MachineBackend;
  companions?: readonly Companion[];
  power?: HostPower;
  /** Where it is another than an app's. */
  patience?: Patience;
  report?(what: string, error: unknown): void;
}

export function createMachine(options: MachineOptions): Machine {
  const { backend, companions = [], power, patience, report } = options;
  const stages = new Stages(backend.kind, [...backend.stages, 'connect', 'engine']);
  let ground: BroughtUp | undefined;
  let up: Up | undefined;
  let calledOff = new AbortController();
  let starting: Promise<MachineState> | undefined;
  /** A stop under way, and what it ends. */
  let ending: { ground: BroughtUp | undefined; done: Promise<void> } | undefined;

  const controls = toldOf(
    backend.controls?.({
      engine: () => running().engine,
      background: () => (stages.state.status === 'running' ? up?.background : undefined),
    }),
  );

  async function climb(): Promise<MachineState> {
    await letGo();
    calledOff = new AbortController();
    stages.begin();
    try {
      if (ground?.startsOver) ground = undefined;
      // What a lost connection left standing is what this start goes on with.
      ground ??= await bringUp();
      up = await reach(ground);
      stages.finish('running');
      follow(up);
      await settle(up);
    } catch {
      // The stage that failed has said why in the state.
      await letGo();
    }
    return stages.state;
  }

  async function bringUp(): Promise<BroughtUp> {
    const over = calledOff;
    let sign: { atMs: number; text?: string } = { atMs: 0 };
    const brought = await backend.bringUp({
      stage(id, work) {
        sign = { atMs: performance.now() };
        return stages.run(id, () =>
          inTime(work(), {
            over,
            patienceMs: patience?.stageMs ?? defaultStageMs,
            graceMs: patience?.graceMs ?? defaultGraceMs,
            // A person may take any time to answer.
            lastSign: () => (stages.state.question ? { atMs: performance.now() } : sign),
          }),
        );
      },
      note(id, text) {
        sign = { atMs: performance.now(), ...(text !== undefined && { text }) };
        stages.note(id, text);
      },
      async ask(question) {
        const answer = await stages.ask(question, over.signal);
        sign = { atMs: performance.now() };
        return answer;
      },
      signal: over.signal,
    });
    void brought.lost.then((loss) => {
      if (brought !== ground) return;
      ground = undefined;
      // A start under way finds out by itself, at its own stage.
      if (stages.state.status === 'starting' || calledOff.signal.aborted) return;
      stages.lose(loss.stage, loss.cause, loss.nextStep);
    });
    return brought;
  }

  async function reach(standing: BroughtUp): Promise<Up> {
    const arrival = (id: string) => ({
      patience,
      signal: calledOff.signal,
      note: (text: string | undefined) => stages.note(id, text),
    });
    const link = await stages.run('connect', () =>
      connectTo(standing.endpoint, backend.loginAdvice, arrival('connect')),
    );
    const background = engineBehind(link);
    const made: Up = {
      ground: standing,
      link,
      services: link,
      engine: background,
      endpoint: standing.oneConnection ? through(link) : standing.endpoint,
      background,
      rest: undefined,
      restListeners: new Set(),
      companions: [],
    };
    try {
      const answer = async () => {
        await ping(background);
        await standing.proved?.(background);
      };
      await stages.run('engine', () => firstAnswer(answer, arrival('engine')));
    } catch (error) {
      close(made);
      throw error;
    }
    return standing.rest === undefined ? made : resting(made, standing.rest);
  }

  /** From here on everything that is asked of the machine wakes it, if need be. */
  function resting(made: Up, { pause, wake }: NonNullable<BroughtUp['rest']>): Up {
    const { link, background, restListeners } = made;
    const rest = new Rest({
      afterMs: () => pauseAfterMs(controls, power),
      isBusy: () => runsContainers(background),
      pause: () => pause(background),
      wake,
      onChange(isResting) {
        link.expectSilence(isResting);
        stages.finish(isResting ? 'paused' : 'running');
        for (const listener of restListeners) listener(isResting);
      },
      report: (error) => report?.('rest', error),
    });
    const waking = wakingLink(link, rest);
    return {
      ...made,
      rest,
      link: waking,
      services: quietLink(link, rest),
      engine: wakingEngine(engineBehind(waking), rest),
      background: quietEngine(background, rest),
      endpoint: made.ground.oneConnection ? through(waking) : wakingEndpoint(made.endpoint, rest),
    };
  }

  /** The link connects again by itself; a person may also start the machine again. */
  function follow(reached: Up): void {
    reached.link.onConnection((isConnected) => {
      // An earlier start's link ends when it is let go; that is no loss to report.
      if (reached !== up) return;
      if (isConnected) stages.finish('running');
      // That the engine itself ended says more, and has been said.
      else if (stages.state.status !== 'failed')
        stages.lose(
          'connect',
          'The connection to the engine was lost.',
          'It is being made again. If the engine has stopped, start it again.',
        );
    });
    const { hold } = reached.ground;
    hold?.onChange(() => {
      if (reached === up) showHold(reached);
    });
    if (hold?.why() !== undefined) showHold(reached);
    for (const begin of companions) {
      try {
        reached.companions.push(
          begin({
            link: reached.link,
            services: reached.services,
            endpoint: reached.ground.oneConnection ? undefined : reached.ground.endpoint,
            waking: (link) => (reached.rest === undefined ? link : wakingLink(link, reached.rest)),
            engine: reached.engine,
            background: reached.background,
            onRest(listener) {
              reached.restListeners.add(listener);
              return () => reached.restListeners.delete(listener);
            },
            settings: controls && {
              now: () => controls.settings().settings,
              onChange: controls.onChange,
            },
            dialTcp: async (host, port) =>
              new ChannelSocket(await reached.link.openTcp(host, port)),
            report: report ?? (() => {}),
          }),
        );
      } catch (error) {
        report?.('companion', error);
      }
    }
  }

  /** A machine that its disk holds is not lost, and its silence does not break the connection. */
  function showHold(reached: Up): void {
    const held = () => reached.ground.hold?.why();
    const why = held();
    reached.link.expectSilence(why !== undefined);
    if (why !== undefined) stages.lose(why.stage, why.cause, why.nextStep);
    // Not before it has answered: it may be held again at its first step.
    else
      ping(reached.background).then(
        () => {
          if (reached === up && held() === undefined) stages.finish('running');
        },
        // The link says so when it has a connection again.
        () => {},
      );
  }

  /** `docker.sock` and this computer's folders: there at once, or held up by what they say themselves. */
  async function settle({ companions }: Up): Promise<void> {
    const patience = sleep(companionPatienceMs, undefined, {
      signal: calledOff.signal,
      ref: false,
    }).catch(() => {});
    await Promise.race([Promise.all(companions.map(({ ready }) => ready)), patience]);
  }

  /** `meanwhile` is done with the connection still there, and of the companions only those that linger. */
  async function letGo(
    meanwhile?: (engine: EngineClient | undefined) => unknown,
    { force }: StopOptions = {},
  ): Promise<void> {
    const old = up;
    up = undefined;
    // Companions may wait for a machine that rests.
    if (force) old?.rest?.giveUp();
    else await old?.rest?.end();
    const all = old?.companions.splice(0).reverse() ?? [];
    const isAsked = meanwhile !== undefined && !force;
    const late = all.filter(({ linger }) => isAsked && linger !== undefined);
    try {
      await closeAll(all.filter((each) => !late.includes(each)));
      for (const companion of late) companion.linger?.();
      await meanwhile?.(old?.engine);
    } finally {
      await closeAll(late);
      if (old !== undefined) close(old);
    }
  }

  async function closeAll(accompaniments: readonly Accompaniment[]): Promise<void> {
    for (const each of accompaniments)
      await Promise.resolve(each.close()).catch((error) => report?.('companion', error));
  }

  function close({ engine, background, link }: Up): void {
    engine.close();
    background.close();
    link.close();
  }

  function running(): Up {
    if (up === undefined) throw new MachineNotRunning(stages.state.status);
    return up;
  }

  /** Questions outside of a start have nobody that calls them off but the person. */
  const asking = {
    ask: (question: Asked) => stages.ask(question, new AbortController().signal),
  };

  async function stop(options: StopOptions = {}): Promise<MachineState> {
    calledOff.abort();
    await starting;
    if (ending === undefined || options.force) await end(options);
    else await ending.done;
    // Of two stops, the one that took longer says nothing about a start after the other.
    if (starting === undefined && ground === undefined) stages.finish('stopped');
    return stages.state;
  }

  /** By force it also ends what a stop before it waits for. */
  async function end(options: StopOptions): Promise<void> {
    const standing = ground ?? ending?.ground;
    ground = undefined;
    const own = {
      ground: standing,
      done: letGo((engine) => standing?.stop(options, engine), options),
    };
    ending = own;
    try {
      await own.done;
    } finally {
      if (ending === own) ending = undefined;
    }
  }

  return {
    state: () => stages.state,
    watch: (signal) => stages.watch(signal),
    start() {
      const { status } = stages.state;
      if (status === 'running' || status === 'paused') return Promise.resolve(stages.state);
      const hold = up?.ground.hold;
      if (hold?.why() !== undefined) return hold.retry().then(() => stages.state);
      starting ??= climb().finally(() => {
        starting = undefined;
      });
      return starting;
    },
    stop,
    logs: async () => (await backend.logs?.()) ?? {},
    footprint: async () =>
      (await backend.installation?.footprint(asking)) ?? { items: [], runningContainers: 0 },
    async remove(what) {
      await stop();
      await backend.installation?.remove(what, asking);
    },
    answer: (question, answer) => stages.answer(question, answer),
    engine: () => running().engine,
    endpoint: () => running().endpoint,
    controls,
  };
}

/** The same controls, of whose changes others hear. */
function toldOf(controls: MachineControls | undefined) {
  if (controls === undefined) return undefined;
  const listeners = new Set<() => void>();
  return {
    ...controls,
    async change(settings: Partial<MachineSettings>) {
      const view = await controls.change(settings);
      for (const listener of listeners) listener();
      return view;
    },
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function engineBehind(link: SshLink): EngineClient {
  return createEngineClient(async () => new ChannelSocket(await link.openApiChannel()));
}

function pauseAfterMs(
  controls: MachineControls | undefined,
  power: HostPower | undefined,
): number | undefined {
  const settings = controls?.settings().settings;
  const afterMs = power?.isOnBattery() ? settings?.pauseOnBatteryAfterMs : settings?.pauseAfterMs;
  return afterMs ?? undefined;
}

async function runsContainers(engine: EngineClient): Promise<boolean> {
  const { body } = await engine.request({ method: 'GET', path: '/containers/json' });
  return (JSON.parse(Buffer.from(body).toString('utf8')) as unknown[]).length > 0;
}

/** The agent's own SSH socket, reached over the connection there is. */
function through(link: SshLink): SshEndpoint {
  return {
    ...link.endpoint,
    dial: async () => new ChannelSocket(await link.openStreamLocal('ssh.sock')),
  };
}
