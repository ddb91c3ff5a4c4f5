import { describe } from 'node:test';
import { isolationSuite } from './isolation.suite.ts';

describe('its root is the machine’s', () => isolationSuite(false));
describe('its root is nobody outside', () => isolationSuite(true));
