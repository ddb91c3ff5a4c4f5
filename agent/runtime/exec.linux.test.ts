import { describe } from 'node:test';
import { execSuite } from './exec.suite.ts';

describe('its root is the machine’s', () => execSuite(false));
describe('its root is nobody outside', () => execSuite(true));
