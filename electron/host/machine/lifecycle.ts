/**
 * The life cycle of every machine: its backend brings it up, then the app connects, then the engine
 * answers and companions start. A failure on the way becomes a failed state with cause and next step.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineState } from '../../contract/machines.ts';
import { createEngineClient, type EngineClient } from '../engine-client.ts';
import type { HostPower } from '../idle-pause/host-power.ts';
import {
  backgroundEngine,
  backgroundLink,
  IdlePause,
  resumingEndpoint,
  resumingEngine,
  resumingLink,
} from '../idle-pause/idle-pause.ts';
import { ChannelSocket } from '../ssh/channel-socket.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';
import { connectTo, firstAnswer, ping, type Timeouts } from './connect.ts';
import {
  type Asked,
  type BroughtUp,
  type Companion,
  type Machine,
  type MachineBackend,
  type MachineControls,
  MachineNotRunning,
  type RunningCompanion,
  type StopOptions,
} from './machine.ts';
import { inTime } from './stage-timeout.ts';
import { Stages } from './stages.ts';

/** Everything that exists only while a machine is up. */
interface Up {
  broughtUp: BroughtUp;
  link: SshLink;
  services: ServiceLink;
  engine: EngineClient;
  endpoint: SshEndpoint;
  /** The same engine as `engine`; its requests neither count as use nor resume a paused machine. */
  background: EngineClient;
  idlePause: IdlePause | undefined;
  pauseListeners: Set<(isPaused: boolean) => void>;
  companions: RunningCompanion[];
}

/** An emulated machine on a busy computer mounts its shared folders well within this time. */
const companionTimeoutMs = 60_000;
/** The longest timeout of a backend itself is ten minutes (WSL unpacks its system); a slow disk adds to it. */
const defaultStageMs = 15 * 60_000;
/** Shutting down a machine waits for its containers to stop. */
const defaultGraceMs = 60_000;

export interface MachineOptions {
  backend: MachineBackend;
  companions?: readonly Companion[];
  power?: HostPower;
  /** Tests shorten them; the app uses the defaults. */
  timeouts?: Timeouts;
  report?(what: string, error: unknown): void;
}

export function createMachine(options: MachineOptions): Machine {
  const { backend, companions = [], power, timeouts, report } = options;
  const stages = new Stages(backend.kind, [...backend.stages, 'connect', 'engine']);
  let broughtUp: BroughtUp | undefined;
  let up: Up | undefined;
  let cancellation = new AbortController();
  let starting: Promise<MachineState> | undefined;
  /** The stop that is under way, and what it stops. */
  let ending: { broughtUp: BroughtUp | undefined; done: Promise<void> } | undefined;

  const controls = withListeners(
    backend.controls?.({
      engine: () => running().engine,
      background: () => (stages.state.status === 'running' ? up?.background : undefined),
    }),
  );

  async function startUp(): Promise<MachineState> {
    await tearDown();
    cancellation = new AbortController();
    stages.begin();
    try {
      if (broughtUp?.startsOver) broughtUp = undefined;
      // After a lost connection the machine itself may still run, and only the connection is made again.
      broughtUp ??= await bringUp();
      up = await reach(broughtUp);
      stages.finish('running');
      follow(up);
      await awaitCompanions(up);
    } catch {
      // The state already holds the stage that failed and its cause.
      await tearDown();
    }
    return stages.state;
  }

  async function bringUp(): Promise<BroughtUp> {
    const over = cancellation;
    let activity: { atMs: number; text?: string } = { atMs: 0 };
    const brought = await backend.bringUp({
      stage(id, work) {
        activity = { atMs: performance.now() };
        return stages.run(id, () =>
          inTime(work(), {
            over,
            timeoutMs: timeouts?.stageMs ?? defaultStageMs,
            graceMs: timeouts?.graceMs ?? defaultGraceMs,
            // An open question is waited for without a limit.
            lastActivity: () => (stages.state.question ? { atMs: performance.now() } : activity),
          }),
        );
      },
      note(id, text) {
        activity = { atMs: performance.now(), ...(text !== undefined && { text }) };
        stages.note(id, text);
      },
      async ask(question) {
        const answer = await stages.ask(question, over.signal);
        activity = { atMs: performance.now() };
        return answer;
      },
      signal: over.signal,
    });
    void brought.lost.then((loss) => {
      if (brought !== broughtUp) return;
      broughtUp = undefined;
      // A start that is under way fails at its own stage, with a better cause.
      if (stages.state.status === 'starting' || cancellation.signal.aborted) return;
      stages.lose(loss.stage, loss.cause, loss.nextStep);
    });
    return brought;
  }

  async function reach(standing: BroughtUp): Promise<Up> {
    const arrival = (id: string) => ({
      timeouts,
      signal: cancellation.signal,
      note: (text: string | undefined) => stages.note(id, text),
    });
    const link = await stages.run('connect', () =>
      connectTo(standing.endpoint, backend.loginAdvice, arrival('connect')),
    );
    const background = engineBehind(link);
    const made: Up = {
      broughtUp: standing,
      link,
      services: link,
      engine: background,
      endpoint: standing.oneConnection ? through(link) : standing.endpoint,
      background,
      idlePause: undefined,
      pauseListeners: new Set(),
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
    return standing.idlePause === undefined ? made : withIdlePause(made, standing.idlePause);
  }

  /** Wraps the connections so that each use resumes a paused machine. */
  function withIdlePause(made: Up, { pause, resume }: NonNullable<BroughtUp['idlePause']>): Up {
    const { link, background, pauseListeners } = made;
    const idlePause = new IdlePause({
      afterMs: () => pauseAfterMs(controls, power),
      isBusy: () => runsContainers(background),
      pause: () => pause(background),
      resume,
      onChange(isPaused) {
        link.allowSilence(isPaused);
        stages.finish(isPaused ? 'paused' : 'running');
        for (const listener of pauseListeners) listener(isPaused);
      },
      report: (error) => report?.('idle pause', error),
    });
    const resuming = resumingLink(link, idlePause);
    return {
      ...made,
      idlePause,
      link: resuming,
      services: backgroundLink(link, idlePause),
      engine: resumingEngine(engineBehind(resuming), idlePause),
      background: backgroundEngine(background, idlePause),
      endpoint: made.broughtUp.oneConnection
        ? through(resuming)
        : resumingEndpoint(made.endpoint, idlePause),
    };
  }

  /** Keeps the state true while the machine is up, and starts its companions. The link reconnects by itself. */
  function follow(reached: Up): void {
    reached.link.onConnection((isConnected) => {
      // The link of an earlier start closes when it is torn down, which is no failure.
      if (reached !== up) return;
      if (isConnected) stages.finish('running');
      // A failed state is kept: that the engine ended explains more than the lost connection does.
      else if (stages.state.status !== 'failed')
        stages.lose(
          'connect',
          'The connection to the engine was lost.',
          'It is being made again. If the engine has stopped, start it again.',
        );
    });
    const { hold } = reached.broughtUp;
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
            endpoint: reached.broughtUp.oneConnection ? undefined : reached.broughtUp.endpoint,
            resuming: (link) =>
              reached.idlePause === undefined ? link : resumingLink(link, reached.idlePause),
            engine: reached.engine,
            background: reached.background,
            onPauseChange(listener) {
              reached.pauseListeners.add(listener);
              return () => reached.pauseListeners.delete(listener);
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

  /** A machine that is halted by a disk error still exists, so its silence must not break the connection. */
  function showHold(reached: Up): void {
    const held = () => reached.broughtUp.hold?.why();
    const why = held();
    reached.link.allowSilence(why !== undefined);
    if (why !== undefined) stages.lose(why.stage, why.cause, why.nextStep);
    // The state changes only after an answer, since the next disk write may halt it again.
    else
      ping(reached.background).then(
        () => {
          if (reached === up && held() === undefined) stages.finish('running');
        },
        // The link reports the state when it has reconnected.
        () => {},
      );
  }

  /** Whoever started the machine uses `docker.sock` and the shared folders next, so a start waits for them. */
  async function awaitCompanions({ companions }: Up): Promise<void> {
    const timeout = sleep(companionTimeoutMs, undefined, {
      signal: cancellation.signal,
      ref: false,
    }).catch(() => {});
    await Promise.race([Promise.all(companions.map(({ ready }) => ready)), timeout]);
  }

  /** `meanwhile` runs while the connection still exists, and of the companions only those with `linger`. */
  async function tearDown(
    meanwhile?: (engine: EngineClient | undefined) => unknown,
    { force }: StopOptions = {},
  ): Promise<void> {
    const old = up;
    up = undefined;
    // This comes first, because companions may be waiting for a paused machine.
    if (force) old?.idlePause?.abandon();
    else await old?.idlePause?.end();
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

  async function closeAll(running: readonly RunningCompanion[]): Promise<void> {
    for (const each of running)
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

  /** Outside of a start only the user's own answer ends a question, so its signal never aborts. */
  const asking = {
    ask: (question: Asked) => stages.ask(question, new AbortController().signal),
  };

  async function stop(options: StopOptions = {}): Promise<MachineState> {
    cancellation.abort();
    await starting;
    if (ending === undefined || options.force) await end(options);
    else await ending.done;
    // When two stops overlap, the later one must not overwrite the state of a start in between.
    if (starting === undefined && broughtUp === undefined) stages.finish('stopped');
    return stages.state;
  }

  /** A forced stop also ends the machine that an earlier stop still waits for. */
  async function end(options: StopOptions): Promise<void> {
    const standing = broughtUp ?? ending?.broughtUp;
    broughtUp = undefined;
    const own = {
      broughtUp: standing,
      done: tearDown((engine) => standing?.stop(options, engine), options),
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
      const hold = up?.broughtUp.hold;
      if (hold?.why() !== undefined) return hold.retry().then(() => stages.state);
      starting ??= startUp().finally(() => {
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

/** The same controls, whose changes listeners are called for. */
function withListeners(controls: MachineControls | undefined) {
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
