/** The QEMU Machine Protocol: JSON objects over a stream (QEMU, docs/interop/qmp-spec). */
import type { Duplex } from 'node:stream';

/** QEMU refused a command. `kind` is its error class, such as `GenericError`. */
export class QmpError extends Error {
  readonly kind: string;

  constructor(command: string, kind: string, description: string) {
    super(`QEMU refused ${command}: ${description}`);
    this.name = 'QmpError';
    this.kind = kind;
  }
}

/** The connection ended, or the other side does not speak the protocol. */
export class QmpLost extends Error {
  constructor(why: string) {
    super(`QEMU's control line ${why}`);
    this.name = 'QmpLost';
  }
}

export interface Qmp {
  /** Major, minor and micro. */
  readonly version: [number, number, number];
  run<T = unknown>(command: string, parameters?: object): Promise<T>;
  on(event: string, listener: (data: Record<string, unknown>) => void): () => void;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  close(): void;
}

interface Message {
  QMP?: { version: { qemu: { major: number; minor: number; micro: number } } };
  return?: unknown;
  error?: { class: string; desc: string };
  id?: number;
  event?: string;
  data?: Record<string, unknown>;
}

interface Pending {
  command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** QEMU's `stop` flushes the disk first, which can take long. */
const defaultAnswerTimeoutMs = 180_000;

export interface QmpTimeouts {
  greetingTimeoutMs?: number;
  answerTimeoutMs?: number;
}

/** Resolves once QEMU accepts commands. Rejects with QmpLost. */
export function openQmp(
  line: Duplex,
  { greetingTimeoutMs = 30_000, answerTimeoutMs = defaultAnswerTimeoutMs }: QmpTimeouts = {},
): Promise<Qmp> {
  const pending = new Map<number, Pending>();
  const listeners = new Map<string, Set<(data: Record<string, unknown>) => void>>();
  let nextId = 1;
  let over: QmpLost | undefined;

  return new Promise((resolve, reject) => {
    const { promise: closed, resolve: settleClosed } = Promise.withResolvers<void>();
    const greeting = setTimeout(() => end('did not answer in time'), greetingTimeoutMs);

    function end(why: string): void {
      clearTimeout(greeting);
      over ??= new QmpLost(why);
      for (const { reject: fail } of pending.values()) fail(over);
      pending.clear();
      line.destroy();
      reject(over);
      settleClosed();
    }

    function run<T>(command: string, parameters: object = {}): Promise<T> {
      if (over !== undefined) return Promise.reject(over);
      const id = nextId++;
      return new Promise<T>((done, fail) => {
        const timer = setTimeout(() => {
          pending.delete(id);
          fail(new QmpLost(`gave no answer to ${command}`));
        }, answerTimeoutMs);
        pending.set(id, {
          command,
          resolve: (value) => {
            clearTimeout(timer);
            done(value as T);
          },
          reject: (error) => {
            clearTimeout(timer);
            fail(error);
          },
        });
        line.write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`);
      });
    }

    function receive(message: Message): void {
      if (message.QMP !== undefined) {
        const { major, minor, micro } = message.QMP.version.qemu;
        void run('qmp_capabilities').then(() => {
          clearTimeout(greeting);
          resolve({
            version: [major, minor, micro],
            run,
            on: (event, listener) => listen(event, listener),
            closed,
            close: () => end('was closed'),
          });
        }, reject);
      } else if (message.event !== undefined) {
        for (const listener of listeners.get(message.event) ?? []) listener(message.data ?? {});
      } else if (message.id !== undefined) {
        const asked = pending.get(message.id);
        pending.delete(message.id);
        if (message.error === undefined) asked?.resolve(message.return);
        else asked?.reject(new QmpError(asked.command, message.error.class, message.error.desc));
      }
    }

    function listen(event: string, listener: (data: Record<string, unknown>) => void) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set.add(listener));
      return () => void set.delete(listener);
    }

    readLines(line, (text) => {
      try {
        receive(JSON.parse(text) as Message);
      } catch {
        end(`said something else: ${text.slice(0, 100)}`);
      }
    });
    line.on('error', (error) => end(`broke: ${error.message}`));
    line.on('end', () => end('ended'));
    line.on('close', () => end('ended'));
  });
}

function readLines(line: Duplex, take: (text: string) => void): void {
  let rest = '';
  line.setEncoding('utf8');
  line.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const each of lines) if (each.trim() !== '') take(each);
  });
}
