import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { ClientChannel } from 'ssh2';
import type { SshLink } from '../ssh/link.ts';
import {
  backgroundEngine,
  backgroundLink,
  IdlePause,
  resumingEndpoint,
  resumingEngine,
  resumingLink,
} from './idle-pause.ts';

interface Watched {
  idlePause: IdlePause;
  turns: string[];
  /** Settles at the next change to that state. */
  until(isPaused: boolean): Promise<void>;
  busy: boolean;
  afterMs: number | undefined;
}

function make(afterMs: number | undefined, busy = false): Watched {
  const turns: string[] = [];
  let changed = Promise.withResolvers<boolean>();
  const made: Watched = {
    turns,
    busy,
    afterMs,
    async until(isPaused) {
      while ((await changed.promise) !== isPaused);
    },
    idlePause: undefined as unknown as IdlePause,
  };
  made.idlePause = new IdlePause({
    afterMs: () => made.afterMs,
    isBusy: async () => made.busy,
    pause: async () => void turns.push('pause'),
    resume: async () => void turns.push('resume'),
    onChange: (isPaused) => {
      changed.resolve(isPaused);
      changed = Promise.withResolvers();
    },
    report: (error) => turns.push(String(error)),
  });
  return made;
}

test('an idle machine pauses, and the next use resumes it once for all who wait', async () => {
  const made = make(10);
  await made.until(true);
  await Promise.all([
    made.idlePause.use(),
    made.idlePause.use(),
    made.idlePause.during(async () => 1),
  ]);
  assert.deepEqual(made.turns, ['pause', 'resume']);
  await made.idlePause.end();
});

test('while something is asked it does not pause, however long that takes', async () => {
  const made = make(10);
  let isAnswered = false;
  const paused = made.until(true).then(() => assert.ok(isAnswered));
  await made.idlePause.during(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    isAnswered = true;
  });
  await paused;
  await made.idlePause.end();
});

test('a machine with a running container is in use; without one it pauses', async () => {
  const made = make(10, true);
  const asked = Promise.withResolvers<void>();
  const { idlePause } = made;
  let times = 0;
  Object.defineProperty(made, 'busy', {
    get() {
      times += 1;
      if (times === 3) asked.resolve();
      return times < 4;
    },
  });
  await asked.promise;
  assert.deepEqual(made.turns, []);
  await made.until(true);
  assert.deepEqual(made.turns, ['pause']);
  await idlePause.end();
  assert.deepEqual(made.turns, ['pause', 'resume']);
});

test('never means never, until the settings say otherwise', async () => {
  const made = make(undefined);
  await made.idlePause.use();
  assert.deepEqual(made.turns, []);
  await made.idlePause.end();
});

test('settings that cannot be read are told of once, and what they said last holds', async () => {
  const made = make(10);
  let reads = 0;
  const readOften = Promise.withResolvers<void>();
  Object.defineProperty(made, 'afterMs', {
    get() {
      reads += 1;
      if (reads === 3) readOften.resolve();
      throw new Error('machine.json cannot be read');
    },
  });
  await made.until(true);
  await readOften.promise;
  assert.deepEqual(made.turns, ['Error: machine.json cannot be read', 'pause']);
  await made.idlePause.end();
});

test('every channel resumes it: opening one, and a byte on one that was open', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  const link = resumingLink({ openTcp: async () => channel } as unknown as SshLink, made.idlePause);
  await made.until(true);
  const opened = await link.openTcp('127.0.0.1', 80);
  assert.deepEqual(made.turns, ['pause', 'resume']);
  await made.until(true);
  const resumed = made.until(false);
  opened.write('x');
  await resumed;
  assert.equal(made.turns.at(-1), 'resume');
  const [data] = await once(opened, 'data');
  assert.equal(String(data), 'x');
  await made.idlePause.end();
});

test('the end of a channel that was open is no use, and does not resume it', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  const link = resumingLink({ openTcp: async () => channel } as unknown as SshLink, made.idlePause);
  const opened = await link.openTcp('127.0.0.1', 80);
  await made.until(true);
  opened.push(null);
  assert.deepEqual(made.turns, ['pause']);
  await made.idlePause.end();
});

test('a question to the engine waits until the machine runs', async () => {
  const made = make(10);
  await made.until(true);
  const engine = resumingEngine(
    {
      request: async () => {
        made.turns.push('asked');
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
      async *stream() {},
      async *upload() {},
      close() {},
    },
    made.idlePause,
  );
  await engine.request({ method: 'GET', path: '/_ping' });
  assert.deepEqual(made.turns, ['pause', 'resume', 'asked']);
  await made.idlePause.end();
});

test('a question in the background does not resume the machine, and is refused while it is paused', async () => {
  const made = make(10);
  await made.until(true);
  const engine = backgroundEngine(
    {
      request: async () => assert.fail('a paused machine was asked'),
      async *stream() {},
      async *upload() {},
      close() {},
    },
    made.idlePause,
  );
  await assert.rejects(engine.request({ method: 'GET', path: '/_ping' }), /The machine is paused/);
  assert.deepEqual(made.turns, ['pause']);
  await made.idlePause.end();
});

test('what the app serves the machine with is no use: it waits while the machine is paused', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  let opened = 0;
  const link = backgroundLink(
    {
      openStreamLocal: async () => {
        opened += 1;
        return channel;
      },
    } as unknown as SshLink,
    made.idlePause,
  );
  const first = await link.openStreamLocal('dns.sock');
  await made.until(true);
  first.write('x');
  const second = link.openStreamLocal('dns.sock');
  assert.deepEqual([opened, made.turns], [1, ['pause']]);
  await made.idlePause.use();
  await second;
  assert.deepEqual([opened, made.turns], [2, ['pause', 'resume']]);
  await made.until(true);
  const never = link.openStreamLocal('dns.sock');
  made.idlePause.abandon();
  await assert.rejects(never, /stopped while it was paused/);
  assert.deepEqual(made.turns, ['pause', 'resume', 'pause']);
});

test('a connection of somebody’s own resumes the machine before it is dialled', async () => {
  const made = make(10);
  await made.until(true);
  const endpoint = resumingEndpoint(
    {
      dial: () => {
        made.turns.push('dialled');
        return new PassThrough();
      },
      hostPublicKey: '',
      clientPrivateKey: '',
    },
    made.idlePause,
  );
  await endpoint.dial();
  assert.deepEqual(made.turns, ['pause', 'resume', 'dialled']);
  await made.idlePause.end();
});
