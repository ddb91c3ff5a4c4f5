/** vfkit's command line, as strictly as vfkit reads it (pkg/cmdline, pkg/config, pkg/vf/bootloader.go). */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';

export class Refused extends Error {}

export interface FakeVm {
  consoleLog: string;
  seed: string;
  sshSocket: string;
  vsockPort: number;
  controlSocket: string;
}

type Options = Map<string, string | undefined>;

const flags = ['--cpus', '--memory', '--bootloader', '--device', '--restful-uri', '--log-level'];
/** sun_path has 104 bytes on macOS. */
const longestSocketPathBytes = 103;

export function parseVfkit(words: readonly string[]): FakeVm {
  const devices: string[] = [];
  const values = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) {
    const [flag = '', value] = words.slice(at, at + 2);
    if (!flags.includes(flag)) throw new Refused(`unknown flag: ${flag}`);
    if (value === undefined) throw new Refused(`flag needs an argument: ${flag}`);
    if (flag === '--device') devices.push(value);
    else values.set(flag, value);
  }
  for (const flag of ['--cpus', '--memory'])
    if (!/^[1-9]\d*$/.test(values.get(flag) ?? '1'))
      throw new Refused(`invalid argument for "${flag}"`);
  checkBootloader(values.get('--bootloader') ?? '');
  const vm: Partial<FakeVm> = { controlSocket: controlSocket(values.get('--restful-uri') ?? '') };
  for (const device of devices) addDevice(vm, device);
  const { consoleLog, seed, sshSocket, vsockPort, controlSocket: control } = vm;
  // What vfkit would do without, and no machine of ours does.
  if (!consoleLog || !seed || !sshSocket || !vsockPort || !control)
    throw new Refused(`the stand-in misses a device: ${JSON.stringify(vm)}`);
  return { consoleLog, seed, sshSocket, vsockPort, controlSocket: control };
}

function addDevice(vm: Partial<FakeVm>, device: string): void {
  const [kind = '', ...rest] = device.split(',');
  const options = optionsOf(rest);
  if (kind === 'virtio-blk') {
    know(kind, options, ['path', 'type', 'deviceId', 'readonly']);
    header(options.get('path') ?? '');
    if ((options.get('deviceId') ?? '').length > 20) throw new Refused('invalid device identifier');
    if (options.get('deviceId') === 'corten-seed') vm.seed = options.get('path');
  } else if (kind === 'virtio-vsock') {
    know(kind, options, ['port', 'socketURL', 'listen', 'connect']);
    if (!options.has('connect'))
      throw new Refused('the stand-in serves connections from the host only');
    vm.vsockPort = Number(options.get('port'));
    vm.sshSocket = socketPath(options.get('socketURL') ?? '');
  } else if (kind === 'virtio-serial') {
    know(kind, options, ['logFilePath', 'stdio', 'pty']);
    if (options.size !== 1) throw new Refused("one of 'logFilePath', 'stdio' or 'pty' must be set");
    vm.consoleLog = options.get('logFilePath');
  } else if (kind === 'virtio-net') {
    know(kind, options, ['nat', 'mac', 'fd', 'unixSocketPath']);
    const ways = ['nat', 'fd', 'unixSocketPath'].filter((way) => options.has(way));
    if (ways.length !== 1)
      throw new Refused("one of 'nat' or 'fd' or 'unixSocketPath' must be set");
  } else if (kind === 'virtio-rng' || kind === 'virtio-balloon') know(kind, options, []);
  else throw new Refused(`unknown device type: ${kind}`);
}

function checkBootloader(text: string): void {
  const [kind, ...rest] = unquoted(text);
  if (kind !== 'linux') throw new Refused(`unknown bootloader type: ${kind}`);
  const options = optionsOf(rest);
  know('Linux bootloaders', options, ['kernel', 'initrd', 'cmdline']);
  const kernel = options.get('kernel') ?? '';
  if (header(kernel, 0x38) !== 'ARMd')
    throw new Refused(`kernel must be uncompressed, ${kernel} is a compressed file`);
  header(options.get('initrd') ?? '');
  if (!/(^| )console=hvc0( |$)/.test(options.get('cmdline') ?? ''))
    throw new Refused('the stand-in sees no console of its own on the kernel command line');
}

/** Commas between double quotes separate nothing (pkg/cmdline/string_slice.go). */
function unquoted(text: string): string[] {
  const parts = text.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  if ((text.match(/"/g) ?? []).length % 2 !== 0) throw new Refused('mismatched "');
  return parts.map((part) => part.replace(/"([^"]*)"$/, '$1'));
}

function optionsOf(parts: string[]): Options {
  return new Map(
    parts
      .filter((part) => part !== '')
      .map((part) => {
        const at = part.indexOf('=');
        return at < 0 ? [part, undefined] : [part.slice(0, at), part.slice(at + 1)];
      }),
  );
}

function know(kind: string, options: Options, known: string[]): void {
  for (const name of options.keys())
    if (!known.includes(name)) throw new Refused(`unknown option for ${kind} devices: ${name}`);
}

function header(path: string, offset = 0): string {
  if (!existsSync(path))
    throw new Refused(`failed to open file ${path}: no such file or directory`);
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(4);
  const read = readSync(file, bytes, 0, 4, offset);
  closeSync(file);
  if (offset === 0 && read === 0)
    throw new Refused(`failed to read the header of file ${path}: EOF`);
  if (bytes.toString('latin1') === 'QFI\xfb')
    throw new Refused('vfkit does not support qcow2 image format');
  return bytes.toString('latin1');
}

function controlSocket(uri: string): string {
  if (!uri.startsWith('unix:///')) throw new Refused(`invalid unix uri: ${uri}`);
  return socketPath(uri.slice('unix://'.length));
}

function socketPath(path: string): string {
  if (Buffer.byteLength(path) > longestSocketPathBytes)
    throw new Refused('invalid unix uri: socket path length exceeds macOS limits');
  return path;
}
