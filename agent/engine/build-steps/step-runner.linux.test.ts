import { describe } from 'node:test';
import { stepRunnerSuite } from './step-runner.suite.ts';

describe('its root is the machine’s', () => stepRunnerSuite(false));
describe('its root is nobody outside', () => stepRunnerSuite(true));
