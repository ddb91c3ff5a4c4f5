import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { ClientChannel } from 'ssh2';
import type { SshLink } from '../ssh/link.ts';
import {
  quietEngine,
  quietLink,
  Rest,
  wakingEndpoint,
  wakingEngine,
  wakingLink,
} from './idle-pause.ts';

interface Watched {
  rest: Rest;
  turns: string[];
  /** Settles at the next change to that state. */
  until(isResting: boolean): Promise<void>;
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
    async until(isResting) {
      while ((await changed.promise) !== isResting);
    },
    rest: undefined as unknown as Rest,
  };
  made.rest = new Rest({
    afterMs: () => made.afterMs,
    isBusy: async () => made.busy,
    pause: async () => void turns.push('pause'),
    wake: async () => void turns.push('wake'),
    onChange: (isResting) => {
      changed.resolve(isResting);
      changed = Promise.withResolvers();
    },
    report: (error) => turns.push(String(error)),
  });
  return made;
}

test('an idle machine pauses, and the next use wakes it once for all who wait', async () => {
  const made = make(10);
  await made.until(true);
  await Promise.all([made.rest.use(), made.rest.use(), made.rest.during(async () => 1)]);
  assert.deepEqual(made.turns, ['pause', 'wake']);
  await made.rest.end();
});

test('while something is asked it does not pause, however long that takes', async () => {
  const made = make(10);
  let isAnswered = false;
  const paused = made.until(true).then(() => assert.ok(isAnswered));
  await made.rest.during(async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    isAnswered = true;
  });
  await paused;
  await made.rest.end();
});

test('a machine with a running container is in use; without one it pauses', async () => {
  const made = make(10, true);
  const asked = Promise.withResolvers<void>();
  const { rest } = made;
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
  await rest.end();
  assert.deepEqual(made.turns, ['pause', 'wake']);
});

test('never means never, until the settings say otherwise', async () => {
  const made = make(undefined);
  await made.rest.use();
  assert.deepEqual(made.turns, []);
  await made.rest.end();
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
  await made.rest.end();
});

test('every channel wakes it: opening one, and a byte on one that was open', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  const link = wakingLink({ openTcp: async () => channel } as unknown as SshLink, made.rest);
  await made.until(true);
  const opened = await link.openTcp('127.0.0.1', 80);
  assert.deepEqual(made.turns, ['pause', 'wake']);
  await made.until(true);
  const woken = made.until(false);
  opened.write('x');
  await woken;
  assert.equal(made.turns.at(-1), 'wake');
  const [data] = await once(opened, 'data');
  assert.equal(String(data), 'x');
  await made.rest.end();
});

test('the end of a channel that was open is no use, and does not wake it', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  const link = wakingLink({ openTcp: async () => channel } as unknown as SshLink, made.rest);
  const opened = await link.openTcp('127.0.0.1', 80);
  await made.until(true);
  opened.push(null);
  assert.deepEqual(made.turns, ['pause']);
  await made.rest.end();
});

test('a question to the engine waits until the machine runs', async () => {
  const made = make(10);
  await made.until(true);
  const engine = wakingEngine(
    {
      request: async () => {
        made.turns.push('asked');
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
      async *stream() {},
      close() {},
    },
    made.rest,
  );
  await engine.request({ method: 'GET', path: '/_ping' });
  assert.deepEqual(made.turns, ['pause', 'wake', 'asked']);
  await made.rest.end();
});

test('a question in the background does not wake the machine, and is refused while it rests', async () => {
  const made = make(10);
  await made.until(true);
  const engine = quietEngine(
    {
      request: async () => assert.fail('a resting machine was asked'),
      async *stream() {},
      close() {},
    },
    made.rest,
  );
  await assert.rejects(engine.request({ method: 'GET', path: '/_ping' }), /The machine rests/);
  assert.deepEqual(made.turns, ['pause']);
  await made.rest.end();
});

test('what the app serves the machine with is no use: it waits while the machine rests', async () => {
  const made = make(10);
  const channel = new PassThrough() as unknown as ClientChannel;
  let opened = 0;
  const link = quietLink(
    {
      openStreamLocal: async () => {
        opened += 1;
        return channel;
      },
    } as unknown as SshLink,
    made.rest,
  );
  const first = await link.openStreamLocal('dns.sock');
  await made.until(true);
  first.write('x');
  const second = link.openStreamLocal('dns.sock');
  assert.deepEqual([opened, made.turns], [1, ['pause']]);
  await made.rest.use();
  await second;
  assert.deepEqual([opened, made.turns], [2, ['pause', 'wake']]);
  await made.until(true);
  const never = link.openStreamLocal('dns.sock');
  made.rest.giveUp();
  await assert.rejects(never, /ended while it rested/);
  assert.deepEqual(made.turns, ['pause', 'wake', 'pause']);
});

test('a connection of somebody’s own wakes the machine before it is dialled', async () => {
  const made = make(10);
  await made.until(true);
  const endpoint = wakingEndpoint(
    {
      dial: () => {
        made.turns.push('dialled');
        return new PassThrough();
      },
      hostPublicKey: '',
      clientPrivateKey: '',
    },
    made.rest,
  );
  await endpoint.dial();
  assert.deepEqual(made.turns, ['pause', 'wake', 'dialled']);
  await made.rest.end();
});
