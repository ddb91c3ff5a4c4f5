import { describe } from 'node:test';
import { containerSuite } from './container.suite.ts';

describe('its root is the machine’s', () => containerSuite(false));
describe('its root is nobody outside', () => containerSuite(true));
