import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type QemuPlan, qemuArguments } from './command-line.ts';

const plan: QemuPlan = {
  architecture: 'amd64',
  accelerators: ['kvm', 'tcg'],
  cpus: 4,
  memoryBytes: 2 * 1024 ** 3,
  kernel: '/i/vmlinux',
  initrd: '/i/initrd',
  kernelArguments: ['quiet'],
  rootImage: '/i/root.erofs',
  seed: '/m/seed.img',
  dataDisk: { path: '/m/data.raw', format: 'raw' },
  consoleLog: '/m/console.log',
  qmp: { listen: '/r/qmp.sock' },
  ssh: { listen: '/r/ssh.sock' },
  restores: false,
};

const values = (words: string[], option: string) =>
  words.filter((_, index) => words[index - 1] === option);

const table: [
  string,
  Partial<QemuPlan>,
  { accel: string[]; cpu: string; machine: RegExp; console: string },
][] = [
  [
    'Linux with KVM',
    {},
    {
      accel: ['kvm', 'tcg,thread=multi,tb-size=256'],
      cpu: 'max',
      machine: /^q35,/,
      console: 'ttyS0',
    },
  ],
  [
    'Linux without',
    { accelerators: ['tcg'] },
    { accel: ['tcg,thread=multi,tb-size=256'], cpu: 'max', machine: /^q35,/, console: 'ttyS0' },
  ],
  [
    'an Intel Mac',
    { accelerators: ['hvf', 'tcg'] },
    {
      accel: ['hvf', 'tcg,thread=multi,tb-size=256'],
      cpu: 'max,-pdpe1gb,-avx512vl',
      machine: /^q35,/,
      console: 'ttyS0',
    },
  ],
  [
    'Apple silicon',
    { accelerators: ['hvf', 'tcg'], architecture: 'arm64' },
    {
      accel: ['hvf', 'tcg,thread=multi,tb-size=256'],
      cpu: 'max',
      machine: /^virt$/,
      console: 'ttyAMA0',
    },
  ],
  [
    'Windows',
    { accelerators: ['whpx', 'tcg'] },
    {
      accel: ['whpx,kernel-irqchip=off', 'tcg,thread=multi,tb-size=256'],
      cpu: 'qemu64',
      machine: /^q35,/,
      console: 'ttyS0',
    },
  ],
  [
    'arm64, emulated',
    { accelerators: ['tcg'], architecture: 'arm64' },
    {
      accel: ['tcg,thread=multi,tb-size=256'],
      cpu: 'max',
      machine: /^virt,gic-version=max$/,
      console: 'ttyAMA0',
    },
  ],
];

for (const [what, change, expected] of table)
  test(`${what}: accelerators in their order, processor, machine and console`, () => {
    const words = qemuArguments({ ...plan, ...change });
    assert.deepEqual(values(words, '-accel'), expected.accel);
    assert.deepEqual(values(words, '-cpu'), [expected.cpu]);
    assert.match(values(words, '-machine')[0]!, expected.machine);
    assert.equal(values(words, '-append')[0], `console=${expected.console} quiet`);
    // Only PCs have the device (vmgenid); elsewhere the agent reseeds the guest by itself.
    assert.equal(words.includes('vmgenid,guid=auto'), change.architecture !== 'arm64');
  });

test('disks are found by serial; the root and the seed are read-only, the data disk gives space back', () => {
  const words = qemuArguments(plan);
  const nodes = values(words, '-blockdev').map((text) => JSON.parse(text));
  const devices = values(words, '-device').filter((text) => text.startsWith('virtio-blk'));
  assert.deepEqual(
    nodes.map((node) => [node['node-name'], node['read-only'], node.discard]),
    [
      ['root', true, undefined],
      ['data', false, 'unmap'],
      ['seed', true, undefined],
    ],
  );
  assert.deepEqual(
    devices.map((text) => /serial=([^,]+)/.exec(text)?.[1]),
    ['corten-root', 'corten-data', 'corten-seed'],
  );
});

test('the guest makes no queues for serial ports that are not there', () => {
  const devices = values(qemuArguments(plan), '-device');
  assert.ok(devices.includes('virtio-serial-pci,id=ports,max_ports=2'), devices.join(' '));
});

test('memory in MiB, processors as given', () => {
  const words = qemuArguments({ ...plan, cpus: 3, memoryBytes: 1536 * 1024 ** 2 });
  assert.deepEqual(values(words, '-m'), ['1536M']);
  assert.deepEqual(values(words, '-smp'), ['3']);
});

test('where Node has no unix sockets, QEMU dials', () => {
  const ssh = { dial: { host: '127.0.0.1', port: 4022 } };
  const chardevs = values(qemuArguments({ ...plan, ssh }), '-chardev');
  assert.ok(chardevs.includes('socket,id=ssh,host=127.0.0.1,port=4022,reconnect=1'));
});

test('a comma in a path stays part of it', () => {
  const words = qemuArguments({ ...plan, consoleLog: '/a,b/console.log' });
  assert.ok(values(words, '-chardev').includes('file,id=console,path=/a,,b/console.log'));
});

test('a start from saved memory waits for it', () => {
  assert.deepEqual(values(qemuArguments({ ...plan, restores: true }), '-incoming'), ['defer']);
  assert.deepEqual(values(qemuArguments(plan), '-incoming'), []);
});
