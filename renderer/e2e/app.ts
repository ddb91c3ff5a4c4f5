/**
 * The real app for end-to-end tests: `scripts/start` on a state of its own, and Debian's Chromium
 * looking at it. Every complaint of the page is kept, and a test file ends by asking for none.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { eventually } from '../../agent/e2e/until.ts';

const repository = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A busy machine runs these tests beside other work: patience costs nothing where all goes well. */
export const timeoutMs = 60_000;

export const starterImage = 'corten/starter:latest';

export interface App {
  /** The address with the one-time token, which `page` has used. */
  readyAddress: string;
  origin: string;
  context: BrowserContext;
  page: Page;
  /** What pages logged as errors or warnings, threw, or failed to load. */
  complaints: string[];
  /** The agent's Docker socket. */
  socket: string;
  /** The real docker command line against this app's engine; resolves with its output. */
  docker(...words: string[]): Promise<string>;
  /** The engine's answer to a GET, such as of `/corten/v1/containers/x/limits`. */
  ask<T>(path: string): Promise<T>;
  /** To a place of the app, by its address after the `#`. */
  go(place: string): Promise<void>;
  close(): Promise<void>;
}

export interface AppOptions {
  colorScheme?: 'light' | 'dark';
  environment?: NodeJS.ProcessEnv;
  /** A directory that is there already. */
  directory?: string;
  /** What starts the app, in the place of `scripts/start`. */
  command?: readonly string[];
  /** The engine's socket in the run directory, where it is not the native engine's. */
  socketName?: string;
}

export async function startApp(options: AppOptions = {}): Promise<App> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'corten-ui-'));
  const [root, runDirectory] = [join(directory, 'root'), join(directory, 'run')];
  const [program = '', ...words] = options.command ?? [join(repository, 'scripts', 'start')];
  const start = spawn(program, [...words, '--no-open', '--root', root, '--run', runDirectory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
  });
  try {
    return await openApp(start, directory, options);
  } catch (error) {
    // Left running, it would keep the test file from ending.
    await end(start);
    throw error;
  }
}

async function openApp(
  start: ChildProcess,
  directory: string,
  { colorScheme = 'light', socketName = 'docker.sock' }: AppOptions,
): Promise<App> {
  const readyAddress = await readyLine(start);
  const context = await openBrowser(join(directory, 'profile'), colorScheme);
  try {
    return await openPage(context, { start, directory, socketName, readyAddress });
  } catch (error) {
    // As above.
    await context.close();
    throw error;
  }
}

interface Opening {
  start: ChildProcess;
  directory: string;
  socketName: string;
  readyAddress: string;
}

async function openPage(
  context: BrowserContext,
  { start, directory, socketName, readyAddress }: Opening,
): Promise<App> {
  const { origin } = new URL(readyAddress);
  const complaints: string[] = [];
  context.on('page', (page) => listen(page, complaints));
  const page = context.pages()[0] ?? (await context.newPage());
  listen(page, complaints);
  await page.goto(readyAddress);

  const socket = join(directory, 'run', socketName);
  const docker = async (...words: string[]) => {
    const { stdout } = await run('docker', ['-H', `unix://${socket}`, ...words], {
      maxBuffer: 64 * 1024 ** 2,
    });
    return stdout.trim();
  };
  // The app is ready, and shows its stages, while the engine still starts.
  await eventually(() => docker('version'));
  return {
    readyAddress,
    origin,
    context,
    page,
    complaints,
    socket,
    docker,
    ask: (path) => ask(socket, path),
    async go(place) {
      await page.goto(`${origin}/#${place}`);
    },
    async close() {
      try {
        await context.close();
        await removeAll(docker);
      } finally {
        await end(start);
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

function ask<T>(socketPath: string, path: string): Promise<T> {
  return new Promise((done, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => done(JSON.parse(text)));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Tests end with this: the page loaded all it asked for, and nothing was thrown or logged. */
export function assertNoComplaints(app: App): void {
  assert.deepEqual(app.complaints, []);
}

export { eventually };

/** Removes every container, so that the next test finds the list as it was. */
export async function removeAll(docker: App['docker']): Promise<void> {
  const ids = (await docker('ps', '-aq')).split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker('rm', '-f', '-v', ...ids);
}

function readyLine(start: ChildProcess): Promise<string> {
  let said = '';
  start.stderr?.on('data', (text) => {
    said += text;
  });
  return new Promise((ready, reject) => {
    start.once('exit', (code) => reject(new Error(`scripts/start ended with ${code}: ${said}`)));
    if (!start.stdout) throw new Error('scripts/start has no output.');
    createInterface(start.stdout).on('line', (line) => {
      if (line.startsWith('ready ')) ready(line.slice('ready '.length));
    });
  });
}

async function openBrowser(profile: string, colorScheme: 'light' | 'dark') {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1280, height: 800 },
    colorScheme,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
    args: [
      // The suite runs as root, where Chromium has no sandbox; the page is our own.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  context.setDefaultTimeout(timeoutMs);
  return context;
}

function listen(page: Page, complaints: string[]): void {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
}

async function end(start: ChildProcess): Promise<void> {
  if (start.exitCode !== null || start.signalCode !== null) return;
  const gone = new Promise((ended) => start.once('exit', ended));
  start.kill('SIGTERM');
  await gone;
}
