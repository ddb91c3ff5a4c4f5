import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { Bridge } from '../../electron/contract/bridge.ts';
import { provideBridge } from '../bridge/bridge.ts';
import { firstConnectionTimeoutMs, followConnection } from './connection.ts';
import { useMachine } from './machine.ts';

let report: (connected: boolean) => void;
let end: AbortController;
const isConnected = () => useMachine.getState().connected;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  useMachine.setState({ connected: true });
  provideBridge({
    onConnection(listener: typeof report) {
      report = listener;
      listener(false);
      return () => {};
    },
  } as Bridge);
  end = new AbortController();
  followConnection(end.signal);
});

afterEach(() => {
  end.abort();
  mock.timers.reset();
});

test('a first connection that is still being made is not reported as lost', () => {
  assert.equal(isConnected(), true);
  mock.timers.tick(firstConnectionTimeoutMs - 1);
  assert.equal(isConnected(), true);
  report(true);
  mock.timers.tick(firstConnectionTimeoutMs);
  assert.equal(isConnected(), true);
});

test('a first connection that is not made in time is reported, and so is one made later', () => {
  mock.timers.tick(firstConnectionTimeoutMs);
  assert.equal(isConnected(), false);
  report(true);
  assert.equal(isConnected(), true);
});

test('a connection that is lost is reported at once', () => {
  report(true);
  report(false);
  assert.equal(isConnected(), false);
});

test('a page that no longer follows it reports nothing', () => {
  end.abort();
  mock.timers.tick(firstConnectionTimeoutMs);
  assert.equal(isConnected(), true);
});
