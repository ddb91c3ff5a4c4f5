/**
 * Collects logs, versions and lists of a machine that fails into one archive. All of it is redacted
 * (redact.ts), bounded, and can be viewed before it is saved.
 */
import { arch, cpus, freemem, homedir, release, totalmem, type, userInfo } from 'node:os';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { ShellFacts } from '../../contract/bridge.ts';
import type { DiagnosticsFile, MachineEntry, MachineState } from '../../contract/machines.ts';
import type { EngineClient } from '../engine-client.ts';
import { type Personal, redactDocument, redactText } from './redact.ts';

export interface DiagnosticsSubject {
  entry: MachineEntry;
  state: MachineState;
  facts: ShellFacts;
  /** Undefined for an engine that does not answer. */
  engine: EngineClient | undefined;
  settings?: unknown;
  logs?(): Promise<Record<string, string>>;
}

export interface Diagnostics {
  files: DiagnosticsFile[];
  /** A tar.gz of exactly these files. */
  body: Uint8Array;
}

/** Only the end of a log is kept, since it tells what happened. */
const longestFileBytes = 1024 * 1024;
const longestWholeBytes = 8 * 1024 * 1024;
const timeoutMs = 10_000;

const enginePaths: Record<string, string> = {
  'engine-version.json': '/version',
  'engine-info.json': '/info',
  'containers.json': '/containers/json?all=1',
  'images.json': '/images/json',
  'networks.json': '/networks',
  'volumes.json': '/volumes',
  'disk-usage.json': '/system/df',
};

export async function collectDiagnostics(
  subject: DiagnosticsSubject,
  person: Personal = whoIsHere(),
): Promise<Diagnostics> {
  const { entry, state, facts, engine, settings } = subject;
  const { host, user } = entry.remote ?? {};
  const words = [...(person.words ?? []), host, user, entry.name].filter(
    (word) => word !== undefined,
  );
  const personal = { ...person, words };
  const files = new Map<string, { text: string; note?: string }>();
  let leftBytes = longestWholeBytes;

  const put = (name: string, whole: string) => {
    const most = Math.min(longestFileBytes, leftBytes);
    const bytes = Buffer.from(whole);
    const text = bytes.length > most ? bytes.subarray(bytes.length - most).toString('utf8') : whole;
    leftBytes -= Buffer.byteLength(text);
    files.set(name, {
      text,
      ...(text === whole ? {} : { note: `Only the last ${Math.round(most / 1024)} KiB.` }),
    });
  };
  const putDocument = (name: string, document: unknown) =>
    put(name, `${JSON.stringify(redactDocument(document, personal), null, 2)}\n`);

  putDocument('about.json', {
    app: facts,
    node: process.version,
    computer: {
      system: `${type()} ${release()}`,
      architecture: arch(),
      cpus: cpus().length,
      memoryBytes: totalmem(),
      freeMemoryBytes: freemem(),
    },
    writtenAt: new Date().toISOString(),
  });
  const { remote: _address, name: _name, ...known } = entry;
  putDocument('machine.json', { ...known, state });
  if (settings !== undefined) putDocument('settings.json', settings);
  for (const [name, path] of Object.entries(enginePaths)) {
    if (engine === undefined) break;
    try {
      putDocument(name, await ask(engine, path));
    } catch (error) {
      put(name.replace('.json', '.txt'), redactText(`${(error as Error).message}\n`, personal));
    }
  }
  try {
    // The text is redacted before it is cut, because a secret is recognised by its beginning.
    for (const [name, text] of Object.entries((await subject.logs?.()) ?? {}))
      put(name, redactText(text, personal));
  } catch (error) {
    put('logs.txt', redactText(`${(error as Error).message}\n`, personal));
  }
  return {
    files: [...files].map(([name, { text, note }]) => ({
      name,
      sizeBytes: Buffer.byteLength(text),
      ...(note === undefined ? {} : { note }),
    })),
    body: await archive(files),
  };
}

function whoIsHere(): Personal {
  return { home: homedir(), user: userInfo().username };
}

async function ask(engine: EngineClient, path: string): Promise<unknown> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`The engine did not answer ${path} in ${timeoutMs / 1000} s.`)),
    timeoutMs,
  );
  try {
    const { status, body } = await Promise.race([engine.request({ method: 'GET', path }), late]);
    if (status >= 400) throw new Error(`The engine answered ${path} with ${status}.`);
    return JSON.parse(new TextDecoder().decode(body));
  } finally {
    clearTimeout(timer);
  }
}

async function archive(files: ReadonlyMap<string, { text: string }>): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, { text }] of files) tar.entry({ name: `corten-diagnostics/${name}` }, text);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
