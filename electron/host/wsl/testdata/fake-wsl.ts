/**
 * A stand-in for wsl.exe: its command line as WslMain parses it, its states on disk, its output in
 * UTF-16LE with CRLF and in the language of Windows, its exit codes. What it follows:
 * https://github.com/microsoft/WSL/blob/master/src/windows/common/WslClient.cpp (grammar, -1 for its
 * own failures), wslutil.cpp there (`Error code: Wsl/…`), and
 * https://learn.microsoft.com/windows/wsl/basic-commands.
 *
 * FAKE_WSL names its folder: `settings.json` (what kind of Windows this is), `calls` (each command
 * line), `distributions/`, `sessions/`. FAKE_WSL_GUEST names the program that runs in place of the
 * distribution's own `wsl-guest`; without it, as root, the distribution runs in namespaces of its own.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { enterInstance, instanceOf, stopInstance } from './fake-wsl-instance.ts';
import { type Language, sentences, versionLabels } from './fake-wsl-sentences.ts';

export interface FakeWindows {
  /** `stub`: only the program that installs WSL is there; `inbox`: Windows 10's own, without --version. */
  package: 'store' | 'inbox' | 'stub';
  version: string;
  language: Language;
  /** Whether it knows WSL_UTF8. */
  knowsUtf8: boolean;
  virtualization: boolean;
  /** What it has come to, whatever `.wslconfig` says; null: its wslinfo does not tell. */
  networkingMode: string | null;
  /** A command that fails, and with which code. */
  fail: Partial<Record<'import' | 'start' | 'terminate' | 'unregister' | 'resize', string>>;
}

export interface FakeDistribution {
  directory: string;
  version: 1 | 2;
  sizeBytes: number;
}

const home = process.env.FAKE_WSL ?? '';
const windows = JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8')) as FakeWindows;
const words = process.argv.slice(2);
appendFileSync(join(home, 'calls'), `${JSON.stringify(words)}\n`);

const speak = sentences[windows.language];

/** -1, which Windows gives on as 4294967295 and Linux as 255. */
const ownFailure = -1;

process.exitCode = await main(words);

async function main(args: string[]): Promise<number> {
  if (windows.package === 'stub') {
    say(speak.notInstalled);
    return 50;
  }
  let distribution: string | undefined;
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-d' || word === '--distribution') distribution = rest.shift() ?? missing(word);
    else if (word === '-u' || word === '--user') {
      if ((rest.shift() ?? missing(word)) !== 'root') return fail('WSL_E_USER_NOT_FOUND');
    } else if (word === '--cd') {
      if (!(rest.shift() ?? missing(word)).startsWith('/')) return fail('E_INVALIDARG');
    } else if (word === '-e' || word === '--exec') return execute(distribution, rest);
    else if (word === '-v' || word === '--version')
      return windows.package === 'inbox' ? usage(word) : version();
    else if (word === '--status') return status();
    else if (word === '-l' || word === '--list') return list(rest);
    else if (word === '--import') return importTar(rest);
    else if (word === '-t' || word === '--terminate')
      return terminate(rest.shift() ?? missing(word));
    else if (word === '--unregister') return unregister(rest.shift() ?? missing(word));
    else if (word === '--manage') return manage(rest);
    else if (word === '--shutdown') return shutdown();
    else return usage(word);
  }
  throw new Error('fake-wsl: an interactive shell is not stood in for');
}

function version(): number {
  const names = versionLabels[windows.language];
  const values = [windows.version, '6.6.87.2-1', '1.0.66', '1.2.6074', '1.611.1-81528511'];
  values.push('10.0.26091.1-240325-1447.ge-release', '10.0.26100.4946');
  say(values.map((value, index) => `${names[index]}: ${value}`).join('\n'));
  return 0;
}

function status(): number {
  say(
    `${{ en: 'Default Version', de: 'Standardversion', ja: '既定のバージョン' }[windows.language]}: 2`,
  );
  // Without a hypervisor it says so, and its exit code is 0 all the same.
  if (!windows.virtualization)
    say(`${speak.noVirtualization}\nhttps://aka.ms/enablevirtualization`);
  return 0;
}

function list(options: string[]): number {
  const has = (...names: string[]) => names.some((name) => options.includes(name));
  const known = ['--all', '--running', '-q', '--quiet', '-v', '--verbose'];
  const unknown = options.find((option) => !known.includes(option));
  if (unknown !== undefined) return usage(unknown);
  if (has('-q', '--quiet') && has('-v', '--verbose')) return usage('--verbose');
  const names = registered().filter((name) => !has('--running') || isRunning(name));
  if (has('-v', '--verbose')) {
    if (names.length === 0) return fail('WSL_E_DEFAULT_DISTRO_NOT_FOUND');
    const width = Math.max(4, ...names.map((name) => name.length)) + 4;
    say(`  ${'NAME'.padEnd(width)}${'STATE'.padEnd(16)}VERSION`);
    names.forEach((name, index) => {
      const state = isRunning(name) ? 'Running' : 'Stopped';
      say(
        `${index === 0 ? '*' : ' '} ${name.padEnd(width)}${state.padEnd(16)}${read(name).version}`,
      );
    });
  } else if (names.length > 0) say(names.join('\n'));
  else if (!has('-q', '--quiet')) {
    say(speak.noneRunning);
    return ownFailure;
  }
  return 0;
}

function importTar(options: string[]): number {
  const positional: string[] = [];
  let wslVersion: 1 | 2 = 2;
  for (let word = options.shift(); word !== undefined; word = options.shift()) {
    if (word === '--version') {
      const value = options.shift();
      if (value !== '1' && value !== '2') return fail('ERROR_VERSION_PARSE_ERROR');
      wslVersion = Number(value) as 1 | 2;
    } else if (word.startsWith('-') && word !== '-') return usage(word);
    else positional.push(word);
  }
  const [name, directory, file, ...more] = positional;
  if (name === undefined || directory === undefined || file === undefined || more.length > 0)
    return fail('E_INVALIDARG');
  const inUse = registered().some(
    (other) => other === name || read(other).directory === resolve(directory),
  );
  if (inUse) return fail('ERROR_ALREADY_EXISTS', 'Service/RegisterDistro');
  if (!windows.virtualization)
    return fail('HCS_E_HYPERV_NOT_INSTALLED', 'Service/RegisterDistro/CreateVm/HCS');
  const root = join(resolve(directory), 'rootfs');
  mkdirSync(root, { recursive: true });
  const { status: exit } = spawnSync('tar', ['-x', '-C', root, '-f', file], {
    stdio: ['inherit', 'ignore', 'ignore'],
  });
  const code = windows.fail.import ?? (exit === 0 ? undefined : 'WSL_E_IMPORT_FAILED');
  if (code !== undefined) {
    rmSync(root, { recursive: true, force: true });
    return fail(code, 'Service/RegisterDistro');
  }
  writeFileSync(join(resolve(directory), 'ext4.vhdx'), '');
  mkdirSync(join(home, 'distributions'), { recursive: true });
  write(name, { directory: resolve(directory), version: wslVersion, sizeBytes: 1024 ** 4 });
  say(speak.done);
  return 0;
}

function terminate(name: string): number {
  if (!registered().includes(name)) return fail('WSL_E_DISTRO_NOT_FOUND', 'Service');
  if (windows.fail.terminate !== undefined)
    return fail(windows.fail.terminate, 'Service/TerminateDistro');
  endSessions(name);
  say(speak.done);
  return 0;
}

function unregister(name: string): number {
  if (!registered().includes(name)) return fail('WSL_E_DISTRO_NOT_FOUND', 'Service');
  if (windows.fail.unregister !== undefined)
    return fail(windows.fail.unregister, 'Service/UnregisterDistro');
  endSessions(name);
  const { directory } = read(name);
  rmSync(join(directory, 'rootfs'), { recursive: true, force: true });
  rmSync(join(directory, 'ext4.vhdx'), { force: true });
  rmSync(join(home, 'distributions', `${name}.json`));
  say(speak.done);
  return 0;
}

function manage([name = '', ...options]: string[]): number {
  if (!registered().includes(name)) return fail('WSL_E_DISTRO_NOT_FOUND', 'Service');
  const [option, value = ''] = options;
  if (option === '--set-sparse') {
    // Refused since 2.5 (LxssUserSession.cpp): files were damaged by it.
    return options.includes('--allow-unsafe') ? 0 : fail('E_INVALIDARG', 'Service');
  }
  if (option !== '--resize' || options.length !== 2) return fail('WSL_E_INVALID_USAGE');
  const [, digits, unit] = /^(\d+)(B|M|MB|G|GB|T|TB)$/.exec(value) ?? [];
  if (digits === undefined || unit === undefined) return fail('E_INVALIDARG');
  if (isRunning(name)) return fail('WSL_E_DISTRO_NOT_STOPPED', 'Service');
  if (windows.fail.resize !== undefined) return fail(windows.fail.resize, 'Service');
  const power = { B: 0, M: 2, G: 3, T: 4 }[unit[0] as 'B' | 'M' | 'G' | 'T'];
  write(name, { ...read(name), sizeBytes: Number(digits) * 1024 ** power });
  say(speak.done);
  return 0;
}

function shutdown(): number {
  for (const name of registered()) endSessions(name);
  return 0;
}

/** The program's own exit code, or -1; killing this process closes what it reads, as with the real one. */
async function execute(name: string | undefined, command: string[]): Promise<number> {
  if (name === undefined || !registered().includes(name))
    return fail('WSL_E_DISTRO_NOT_FOUND', 'Service');
  if (command.length === 0) return fail('E_INVALIDARG');
  if (windows.fail.start !== undefined)
    return fail(windows.fail.start, 'Service/CreateInstance/CreateVm');
  if (!windows.virtualization)
    return fail('HCS_E_HYPERV_NOT_INSTALLED', 'Service/CreateInstance/CreateVm/HCS');
  const { directory } = read(name);
  const root = join(directory, 'rootfs');
  // WSL's own init by another name (src/linux/init/wslinfo.cpp), in every distribution.
  if (command[0] === '/bin/wslinfo') {
    if (command[1] !== '--networking-mode' || windows.networkingMode === null) return 1;
    process.stdout.write(`${windows.networkingMode}\n`);
    return 0;
  }
  const guest = process.env.FAKE_WSL_GUEST || undefined;
  const inside = guest === undefined ? enterInstance(home, name, root) : [];
  const [program = '', ...parameters] =
    guest === undefined ? [...inside, ...command] : [process.execPath, guest, root, ...command];
  const child = spawn(program, parameters, { stdio: 'inherit', detached: true });
  const session = join(home, 'sessions', name, String(child.pid));
  mkdirSync(join(home, 'sessions', name), { recursive: true });
  writeFileSync(session, '');
  const code = await new Promise<number>((ended) => {
    child.once('error', () => ended(127));
    child.once('exit', (exit) => ended(exit ?? ownFailure));
  });
  rmSync(session, { force: true });
  return code;
}

function isRunning(name: string): boolean {
  if (instanceOf(home, name) !== undefined) return true;
  return sessions(name).some((pid) => existsSync(`/proc/${pid}`));
}

function sessions(name: string): number[] {
  const place = join(home, 'sessions', name);
  return statSync(place, { throwIfNoEntry: false }) === undefined
    ? []
    : readdirSync(place).map(Number);
}

function endSessions(name: string): void {
  stopInstance(home, name);
  for (const pid of sessions(name)) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    rmSync(join(home, 'sessions', name, String(pid)), { force: true });
  }
}

function registered(): string[] {
  const place = join(home, 'distributions');
  if (!existsSync(place)) return [];
  return readdirSync(place).map((file) => file.replace(/\.json$/, ''));
}

function read(name: string): FakeDistribution {
  return JSON.parse(readFileSync(join(home, 'distributions', `${name}.json`), 'utf8'));
}

function write(name: string, distribution: FakeDistribution): void {
  writeFileSync(join(home, 'distributions', `${name}.json`), JSON.stringify(distribution));
}

function fail(code: string, context = ''): number {
  const label = { en: 'Error code', de: 'Fehlercode', ja: 'エラー コード' }[windows.language];
  const path = context === '' ? '' : `${context}/`;
  say(`${speak.failed}\n${label}: Wsl/${path}${code}`);
  return ownFailure;
}

function usage(word: string): number {
  say(`${speak.unknown}: ${word}`);
  return ownFailure;
}

function missing(word: string): never {
  say(`${speak.unknown}: ${word}`);
  process.exit(ownFailure);
}

function say(text: string): void {
  const lines = `${text.replaceAll('\n', '\r\n')}\r\n`;
  const isUtf8 = windows.knowsUtf8 && process.env.WSL_UTF8 === '1';
  process.stdout.write(Buffer.from(lines, isUtf8 ? 'utf8' : 'utf16le'));
}
