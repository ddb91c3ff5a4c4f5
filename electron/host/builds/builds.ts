/**
 * Builds that this app has started: a folder of this computer is sent to a machine's engine, which builds. They belong to
 * the app and not to a page, so that closing or reloading the page ends none.
 */
import { readFile } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import type { BuildOrder, BuildSecret, BuildSending } from '../../contract/builds.ts';
import type { EngineClient, StreamItem } from '../engine-client.ts';
import { contextArchive } from './context-archive.ts';
import { dockerfileIn, folderProblem, withHome } from './folder-facts.ts';
import type { OrderList } from './order-list.ts';

export interface Builds {
  orders: OrderList;
  /** Throws with cause and next step. */
  start(machine: string, engine: EngineClient, order: BuildOrder): Promise<void>;
  /** Nothing happens for a build that has ended. */
  cancel(ref: string): void;
  watch(ref: string, signal: AbortSignal): AsyncIterable<BuildSending>;
}

interface Build {
  abort: AbortController;
  sending: BuildSending;
  watchers: Set<() => void>;
}

/** How often watchers hear of bytes. */
const tellMs = 100;
/** An ended build's last word stays for a page that asks late. */
const rememberedMs = 60_000;

export function createBuilds(orders: OrderList): Builds {
  const builds = new Map<string, Build>();

  function change(build: Build, part: Partial<BuildSending>): void {
    build.sending = { ...build.sending, ...part };
    for (const wake of build.watchers) wake();
  }

  async function run(ref: string, build: Build, engine: EngineClient, order: BuildOrder) {
    try {
      const failure = await send(engine, order, build.abort.signal, (part) => change(build, part));
      change(build, { state: 'ended', ...(failure !== undefined && { failure }) });
    } catch (error) {
      const failure = build.abort.signal.aborted ? undefined : (error as Error).message;
      change(build, { state: 'ended', ...(failure !== undefined && { failure }) });
    }
    setTimeout(() => builds.delete(ref), rememberedMs).unref();
  }

  return {
    orders,
    async start(machine, engine, order) {
      const checked = await check(order);
      await leaveSecrets(engine, checked);
      orders.add(machine, checked);
      const build: Build = {
        abort: new AbortController(),
        sending: { state: 'sending', files: 0, bytes: 0 },
        watchers: new Set(),
      };
      builds.set(order.ref, build);
      void run(order.ref, build, engine, checked);
    },
    cancel: (ref) => builds.get(ref)?.abort.abort(),
    async *watch(ref, signal) {
      const build = builds.get(ref);
      if (build === undefined) {
        yield { state: 'ended', files: 0, bytes: 0 };
        return;
      }
      for (let told: BuildSending | undefined; !signal.aborted; ) {
        if (build.sending !== told) {
          told = build.sending;
          yield told;
          if (told.state === 'ended') return;
        } else await news(build, signal);
      }
    },
  };
}

function news(build: Build, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      build.watchers.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    build.watchers.add(wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}

async function check(order: BuildOrder): Promise<BuildOrder> {
  const folder = withHome(order.folder.trim());
  const problem = await folderProblem(folder);
  if (problem !== undefined) throw new Error(problem);
  if (dockerfileIn(folder, order.dockerfile) === undefined)
    throw new Error(
      `The Dockerfile ${order.dockerfile} is not inside ${folder}. Choose a folder that holds it.`,
    );
  return { ...order, folder };
}

/** They go ahead of the build, since `POST /build` has no place for them (docs/api.md). */
async function leaveSecrets(engine: EngineClient, { ref, secrets }: BuildOrder): Promise<void> {
  if (secrets.length === 0) return;
  const values = await Promise.all(
    secrets.map(async (secret) => [secret.id, (await contentOf(secret)).toString('base64')]),
  );
  const { status, body } = await engine.request({
    method: 'PUT',
    path: `/corten/v1/builds/${encodeURIComponent(ref)}/secrets`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secrets: Object.fromEntries(values) as Record<string, string> }),
  });
  if (status >= 400) throw new Error(refusal(status, Buffer.from(body).toString()));
}

async function contentOf(secret: BuildSecret): Promise<Buffer> {
  if ('value' in secret) return Buffer.from(secret.value);
  try {
    return await readFile(withHome(secret.file));
  } catch (error) {
    throw new Error(
      `The secret ${secret.id} cannot be read from ${secret.file}: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

/** Resolves with the engine's reason when the build failed. */
async function send(
  engine: EngineClient,
  order: BuildOrder,
  signal: AbortSignal,
  tell: (part: Partial<BuildSending>) => void,
): Promise<string | undefined> {
  let toldMs = 0;
  let sent = { files: 0, bytes: 0 };
  const archive = contextArchive({
    folder: order.folder,
    dockerfile: order.dockerfile,
    onProgress(files, bytes) {
      sent = { files, bytes };
      if (performance.now() - toldMs < tellMs) return;
      toldMs = performance.now();
      tell(sent);
    },
  });
  archive.once('end', () => tell({ ...sent, state: 'building' }));
  const request = {
    method: 'POST' as const,
    path: `/build?${query(order)}`,
    headers: { 'content-type': 'application/x-tar' },
  };
  return await lastWord(engine.upload(request, archive, signal));
}

function query(order: BuildOrder): string {
  const { ref, dockerfile, names, target, platform, noCache, pull } = order;
  const search = new URLSearchParams({ version: '1', rm: '1', buildid: ref, dockerfile });
  for (const name of names) search.append('t', name);
  if (target !== undefined) search.set('target', target);
  if (platform !== undefined) search.set('platform', platform);
  if (Object.keys(order.arguments).length > 0)
    search.set('buildargs', JSON.stringify(order.arguments));
  if (noCache) search.set('nocache', '1');
  if (pull) search.set('pull', '1');
  return search.toString();
}

/** The progress is told by `/corten/v1/builds`; of this answer only an error matters. */
async function lastWord(answer: AsyncIterable<StreamItem>): Promise<string | undefined> {
  let status = 200;
  let failure: string | undefined;
  let rest = '';
  const decoder = new StringDecoder();
  for await (const item of answer) {
    if ('head' in item) {
      status = item.head.status;
      continue;
    }
    const lines = (rest + decoder.write(Buffer.from(item.data))).split('\n');
    rest = lines.pop() ?? '';
    if (status < 400) for (const line of lines) failure = errorIn(line) ?? failure;
    else rest = `${lines.join('\n')}${rest}`;
  }
  if (status >= 400) return refusal(status, rest);
  return errorIn(rest) ?? failure;
}

function errorIn(line: string): string | undefined {
  if (!line.includes('"error"')) return undefined;
  try {
    return (JSON.parse(line) as { error?: string }).error;
  } catch {
    // A line that was cut off: the engine was lost, which its progress tells as well.
    return undefined;
  }
}

function refusal(status: number, text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: string };
    if (message !== undefined) return message;
  } catch {
    // Not JSON: the text itself is the best sentence there is.
  }
  return text.trim() || `The engine answered with status ${status}.`;
}
