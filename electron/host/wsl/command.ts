/**
 * Runs wsl.exe and decodes its output. It writes UTF-16LE unless WSL_UTF8=1 is set, which versions
 * before 0.64 do not know; the output of Linux programs passes through unchanged
 * (https://github.com/microsoft/WSL/blob/master/src/windows/common/WslClient.cpp).
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cancelled, StageFailure } from '../machine/machine.ts';

/** The program and its first arguments, such as `C:\Windows\System32\wsl.exe`. */
export type WslProgram = readonly [string, ...string[]];

export interface WslAnswer {
  /** 0, 4294967295 (-1) for a failure of wsl.exe itself, or the Linux program's exit code. */
  code: number;
  output: string;
}

export interface WslCallOptions {
  /** The Linux program's standard input; without it the input is empty. */
  input?: Readable;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** Listing and stopping take well under a second; a cold start of WSL's virtual machine takes several. */
const callTimeoutMs = 180_000;

export function startWsl(wsl: WslProgram, words: readonly string[]) {
  const [file, ...first] = wsl;
  return spawn(file, [...first, ...words], {
    env: { ...process.env, WSL_UTF8: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
}

/** Resolves with the output for any exit code. Rejects with StageFailure when wsl.exe cannot be run. */
export async function callWsl(
  wsl: WslProgram,
  words: readonly string[],
  { input, signal, timeoutMs = callTimeoutMs }: WslCallOptions = {},
): Promise<WslAnswer> {
  const child = startWsl(wsl, words);
  const timeout = AbortSignal.timeout(timeoutMs);
  const givenUp = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const giveUp = () => child.kill();
  givenUp.addEventListener('abort', giveUp);
  try {
    const output = collect(child);
    const fed = feed(child, input);
    // Partial input must not count as complete; the error is kept until the end is awaited.
    fed.catch(giveUp);
    const code = await endOf(child);
    await fed;
    if (signal?.aborted === true) throw cancelled();
    if (timeout.aborted)
      throw new StageFailure(
        `"wsl ${words.join(' ')}" had not ended after ${Math.round(timeoutMs / 1000)} seconds.`,
        'Run "wsl --shutdown" in a terminal, which stops all of WSL, and start the machine again.',
      );
    return { code, output: decodeOutput(Buffer.concat(output)) };
  } finally {
    givenUp.removeEventListener('abort', giveUp);
  }
}

/** UTF-16 text of any language has zero bytes, at least in its line ends; UTF-8 text has none. */
export function decodeOutput(bytes: Buffer): string {
  const text = bytes.includes(0) ? bytes.toString('utf16le') : bytes.toString('utf8');
  return text.replaceAll('\ufeff', '').replaceAll('\r\n', '\n').trim();
}

function collect(child: ChildProcessWithoutNullStreams): Buffer[] {
  const pieces: Buffer[] = [];
  // wsl.exe writes errors to stdout and warnings to stderr, so both are kept.
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => pieces.push(piece));
  return pieces;
}

async function feed(child: ChildProcessWithoutNullStreams, input?: Readable): Promise<void> {
  if (input === undefined) {
    child.stdin.on('error', () => {});
    child.stdin.end();
    return;
  }
  // A program that ends before it has read its input explains that by its exit code.
  await pipeline(input, child.stdin).catch((error: NodeJS.ErrnoException) => {
    if (!['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'EOF'].includes(error.code ?? '')) throw error;
  });
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(notRunnable(error)));
    child.once('close', (code) => resolve(code ?? -1));
  });
}

function notRunnable(error: NodeJS.ErrnoException): StageFailure {
  if (error.code === 'ENOENT')
    return new StageFailure(
      'Windows Subsystem for Linux is not installed: there is no wsl.exe.',
      'Run "wsl --install --no-distribution" in a terminal as administrator, and restart Windows. ' +
        'WSL 2 takes Windows 10 version 2004 or later.',
      { cause: error },
    );
  return new StageFailure(
    `wsl.exe could not be run: ${error.message}`,
    'Check that this Windows account may run C:\\Windows\\System32\\wsl.exe.',
    { cause: error },
  );
}
