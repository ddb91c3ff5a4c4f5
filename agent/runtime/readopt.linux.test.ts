import { describe } from 'node:test';
import { adoptSuite } from './readopt.suite.ts';

describe('its root is the machine’s', () => adoptSuite(false));
describe('its root is nobody outside', () => adoptSuite(true));
