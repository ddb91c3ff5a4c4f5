import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLimits } from './process-limits.ts';

test('names with blanks, numbers, unlimited, and a limit without a unit', () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 1048576              files     
Max nice priority         0                    0                    
Max realtime timeout      unlimited            unlimited            us        
`;
  assert.deepEqual(parseLimits(text), [
    { name: 'Max cpu time', soft: 'unlimited', hard: 'unlimited', unit: 'seconds' },
    { name: 'Max open files', soft: '1024', hard: '1048576', unit: 'files' },
    { name: 'Max nice priority', soft: '0', hard: '0', unit: '' },
    { name: 'Max realtime timeout', soft: 'unlimited', hard: 'unlimited', unit: 'us' },
  ]);
});
