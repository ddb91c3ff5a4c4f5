/**
 * Sends this computer's proxies to the machine's engine at the start and after each change. The
 * environment comes first, as for every program, then the system's settings.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type ProxySettings, proxiesFromEnvironment } from '../../../agent/contract/proxies.ts';
import type { EngineClient } from '../engine-client.ts';
import type { CompanionContext } from '../machine/machine.ts';
import type { SshLink } from '../ssh/link.ts';
import { pollWhileRunning } from './poll-while-running.ts';

interface Found extends Pick<ProxySettings, 'http' | 'https' | 'noProxy'> {
  /** URL of a PAC script, which chooses a proxy for each address. The engine cannot run it. */
  script?: string;
}

const run = promisify(execFile);
const timeoutMs = 5000;
const registryKey = 'HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings';

export async function systemProxies(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): Promise<Found> {
  const own = proxiesFromEnvironment(environment);
  if (own.http !== undefined || own.https !== undefined) return own;
  switch (platform) {
    case 'darwin':
      return parseScutil((await run('scutil', ['--proxy'], { timeout: timeoutMs })).stdout);
    case 'win32': {
      const options = { timeout: timeoutMs, windowsHide: true };
      return parseRegistry((await run('reg', ['query', registryKey], options)).stdout);
    }
    default:
      return {};
  }
}

/** Reads the output of `scutil --proxy`: `Key : value` lines, and an array of exceptions (scutil(8)). */
export function parseScutil(text: string): Found {
  const values = new Map(
    [...text.matchAll(/^\s*(\w+) : (.*)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
  const proxy = (kind: 'HTTP' | 'HTTPS') => {
    const host = values.get(`${kind}Proxy`);
    return values.get(`${kind}Enable`) === '1' && host
      ? `http://${host}:${values.get(`${kind}Port`) ?? 80}`
      : undefined;
  };
  const list = /ExceptionsList : <array> \{([^}]*)\}/.exec(text)?.[1] ?? '';
  const exceptions = [...list.matchAll(/^\s*\d+ : (\S+)\s*$/gm)].map((match) => match[1] ?? '');
  const script =
    values.get('ProxyAutoConfigEnable') === '1' && values.get('ProxyAutoConfigURLString');
  return { ...found(proxy('HTTP'), proxy('HTTPS'), exceptions), ...(script && { script }) };
}

/**
 * Reads the output of `reg query`: lines of name, type and value. `ProxyServer` is one address for
 * all, or `http=…;https=…`; `ProxyOverride` is separated by semicolons, with `<local>` for names
 * without a dot.
 */
export function parseRegistry(text: string): Found {
  const value = (name: string) =>
    new RegExp(`^\\s+${name}\\s+REG_\\w+\\s+(.*?)\\s*$`, 'mi').exec(text)?.[1];
  // Windows uses the script first, also where a fixed proxy is set beside it.
  const script = value('AutoConfigURL');
  if (Number(value('ProxyEnable') ?? 0) !== 1) return script ? { script } : {};
  const server = value('ProxyServer') ?? '';
  const each = new Map(
    server.split(';').map((part) => {
      const [kind = '', address] = part.split('=');
      return address === undefined ? ['all', kind] : [kind.toLowerCase(), address];
    }),
  );
  const proxy = (kind: string) => withScheme(each.get(kind) ?? each.get('all'));
  const exceptions = (value('ProxyOverride') ?? '')
    .split(';')
    .map((name) => name.trim())
    // NO_PROXY has no word for `<local>`; names without a dot are not resolved outside anyway.
    .filter((name) => name !== '' && name !== '<local>');
  return { ...found(proxy('http'), proxy('https'), exceptions), ...(script && { script }) };
}

function withScheme(address: string | undefined): string | undefined {
  if (!address) return undefined;
  return address.includes('://') ? address : `http://${address}`;
}

/** An exception `*.local` is written `.local` in NO_PROXY. */
function found(
  http: string | undefined,
  https: string | undefined,
  exceptions: readonly string[],
): Found {
  if (http === undefined && https === undefined) return {};
  const noProxy = exceptions.map((name) => name.replace(/^\*(?=\.)/, '')).join(',');
  return { ...(http && { http }), ...(https && { https }), ...(noProxy && { noProxy }) };
}

export interface ProxyWatchOptions extends Pick<CompanionContext, 'onPauseChange' | 'report'> {
  engine: Pick<EngineClient, 'request'>;
  /** The connection to that engine. After a reconnect the engine may be a new one that has no settings. */
  link: Pick<SshLink, 'onConnection'>;
  /** Whether new containers get the proxies too, as the machine's settings say. */
  containers: () => boolean;
  read?: () => Promise<Found>;
  /** Systems announce a change only to programs with a window, so the settings are polled. */
  everyMs?: number;
}

export interface ProxyWatch {
  /** Checks at once, such as after a change of the machine's settings. */
  check(): Promise<void>;
  close(): void;
}

export function watchProxies(options: ProxyWatchOptions): ProxyWatch {
  const { engine, link, containers, read = systemProxies, report, everyMs = 15_000 } = options;
  let told: string | undefined;
  let warnedOf: string | undefined;

  /** Reports a PAC script once. A fixed proxy beside it is used; without one, pulls use no proxy. */
  function warn(script: string | undefined): void {
    if (script !== undefined && script !== warnedOf)
      report(
        'proxies',
        new Error(
          `This computer chooses its proxies by a script (${script}), which the engine cannot follow. ` +
            'Set HTTP_PROXY and HTTPS_PROXY where the app is started, or a fixed proxy in the system’s settings.',
        ),
      );
    warnedOf = script;
  }

  async function tell(isPaused: () => boolean): Promise<void> {
    try {
      const { script, ...found } = await read();
      warn(script);
      const settings: ProxySettings = { ...found, containers: containers() };
      const text = JSON.stringify(settings);
      if (text === told || isPaused()) return;
      const { status, body } = await engine.request({
        method: 'PUT',
        path: '/corten/v1/machine/proxies',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
      if (status >= 300)
        throw new Error(`The engine refused the proxies: ${Buffer.from(body).toString()}`);
      told = text;
    } catch (error) {
      // The next poll tries again, since the engine may be unreachable for a moment.
      report('proxies', error);
    }
  }

  const poll = pollWhileRunning(options, everyMs, tell);
  const stopFollowing = link.onConnection((isConnected) => {
    if (!isConnected) return;
    told = undefined;
    void poll.now();
  });
  return {
    check: () => poll.now(),
    close() {
      stopFollowing();
      poll.close();
    },
  };
}
