/** `corten run` */
import type { HostConfig } from '../../agent/contract/docker.ts';
import { converse } from '../engine/conversation.ts';
import { withNextStep } from '../engine/each-container.ts';
import { type Engine, EngineRefusal } from '../engine/engine.ts';
import { hostConfigOf, type LimitOptions, withLimitOptions } from '../engine/limit-options.ts';
import { portSettings } from '../engine/port-options.ts';
import { pull } from '../engine/pull.ts';
import { ownFailureCode } from '../failure.ts';
import type { Session } from '../session.ts';
import { collect } from '../sizes.ts';
import type { Verb } from '../verb.ts';

interface RunOptions extends LimitOptions {
  detach?: boolean;
  interactive?: boolean;
  tty?: boolean;
  rm?: boolean;
  name?: string;
  env?: string[];
  publish?: string[];
  volume?: string[];
  user?: string;
  workdir?: string;
  network?: string;
}

export const runVerb: Verb = (program, session) => {
  const command = program
    .command('run')
    .description('create a container and start it')
    .argument('<image>', 'an image; it is pulled if it is not here')
    .argument('[command...]', 'instead of the image’s own command')
    .option('-d, --detach', 'print the id and do not wait')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'give it a terminal')
    .option('--rm', 'remove it when it ends')
    .option('-n, --name <name>', 'its name')
    .option('-e, --env <name=value>', 'environment variable; may be repeated', collect)
    .option('-p, --publish <ports>', 'publish a port, such as 8080:80; may be repeated', collect)
    .option('-v, --volume <mount>', 'mount, such as data:/var/lib/data; may be repeated', collect)
    .option('-u, --user <user>', 'user and group inside, such as 1000:1000')
    .option('-w, --workdir <dir>', 'working directory inside')
    .option('--network <name>', 'network, none or host')
    .passThroughOptions();
  withLimitOptions(command).action(async (image: string, words: string[], options: RunOptions) => {
    try {
      session.exitCode = await run(session, image, words, options);
    } catch (error) {
      throw withNextStep(error, ownFailureCode);
    }
  });
};

async function run(
  session: Session,
  image: string,
  words: string[],
  options: RunOptions,
): Promise<number> {
  const engine = await session.engine();
  const id = await create(session, engine, image, words, options);
  if (options.detach) {
    await engine.ask('POST', `/containers/${id}/start`);
    session.print(id);
    return 0;
  }
  const { tty = false, interactive = false } = options;
  const query = `stream=1&stdout=1&stderr=1&stdin=${Number(interactive)}`;
  const connection = await engine.connect(`/containers/${id}/attach?${query}`);
  // A container that is removed at its end answers only whoever began to wait before that.
  const ended = engine.ask<{ StatusCode: number }>(
    'POST',
    `/containers/${id}/wait?condition=${options.rm ? 'removed' : 'next-exit'}`,
  );
  ended.catch(() => {});
  const forward = session.io.onSignal((signal) => {
    // The container has ended by itself meanwhile.
    engine.ask('POST', `/containers/${id}/kill?signal=${signal}`).catch(() => {});
  });
  try {
    await engine.ask('POST', `/containers/${id}/start`);
    await converse(session.io, connection, {
      tty,
      interactive,
      resize: (rows, columns) =>
        engine.ask('POST', `/containers/${id}/resize?h=${rows}&w=${columns}`),
    });
    return (await ended).StatusCode;
  } catch (error) {
    connection.destroy();
    throw startFailure(error);
  } finally {
    forward();
  }
}

/** `docker run` ends with 127 for a command that is not there, and with 126 for one that cannot be run. */
function startFailure(error: unknown): unknown {
  if (!(error instanceof EngineRefusal)) return error;
  // A network or volume that is not there answers 404.
  const isMissing = error.status !== 404 && /no such file|not found/i.test(error.message);
  const isForbidden = /permission denied|exec format/i.test(error.message);
  return withNextStep(error, isMissing ? 127 : isForbidden ? 126 : ownFailureCode);
}

async function create(
  session: Session,
  engine: Engine,
  image: string,
  words: string[],
  options: RunOptions,
): Promise<string> {
  const { tty = false, interactive = false, name, env, user, workdir } = options;
  const { exposed, bindings } = portSettings(options.publish ?? []);
  const hostConfig: HostConfig = {
    ...hostConfigOf(options),
    AutoRemove: options.rm ?? false,
    Binds: options.volume ?? [],
    PortBindings: bindings,
    ...(options.network !== undefined && { NetworkMode: options.network }),
  };
  const body = {
    Image: image,
    ...(words.length > 0 && { Cmd: words }),
    Tty: tty,
    OpenStdin: interactive,
    StdinOnce: interactive,
    AttachStdin: interactive,
    AttachStdout: !options.detach,
    AttachStderr: !options.detach,
    Env: env ?? [],
    User: user ?? '',
    WorkingDir: workdir ?? '',
    ExposedPorts: exposed,
    HostConfig: hostConfig,
  };
  const path = `/containers/create${name === undefined ? '' : `?name=${encodeURIComponent(name)}`}`;
  const ask = () => engine.ask<{ Id: string; Warnings?: string[] }>('POST', path, body);
  const created = await ask().catch(async (error) => {
    if (!(error instanceof EngineRefusal) || error.status !== 404) throw error;
    await pull(session, engine, image);
    return ask();
  });
  for (const warning of created.Warnings ?? []) session.remark(`corten: ${warning}`);
  return created.Id;
}
