import { describe } from 'node:test';
import { adoptSuite } from './adopt.suite.ts';

describe('its root is the machine’s', () => adoptSuite(false));
describe('its root is nobody outside', () => adoptSuite(true));
