/** Sessions with a client on the other end of a pair of streams: its files, secrets, agents and outputs. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { patienceMs } from '../../e2e/patience.ts';
import { CortenError } from '../../errors.ts';
import { O_PATH, openat2, openDirectory, withFd } from '../../kernel/files.ts';
import { listXattrs } from '../../kernel/xattr.ts';
import {
  CredentialsRequestSchema,
  CredentialsResponseSchema,
} from '../protocol/github.com/moby/buildkit/session/auth/auth_pb.js';
import { BytesMessageSchema } from '../protocol/github.com/moby/buildkit/session/filesync/filesync_pb.js';
import {
  GetSecretRequestSchema,
  GetSecretResponseSchema,
} from '../protocol/github.com/moby/buildkit/session/secrets/secrets_pb.js';
import {
  PacketSchema,
  Packet_PacketType as PacketType,
} from '../protocol/github.com/tonistiigi/fsutil/types/wire_pb.js';
import type { LocalDirectory } from '../solver/job.ts';
import { kindOf, permissionsOf } from './fsutil/go-mode.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import {
  directory,
  type FakeFile,
  fakeClient,
  file,
  type Method,
  packet,
  serveFiles,
  statOf,
  symlink,
} from './testdata/fake-client.ts';

const patience = { timeout: patienceMs };
const filesPath = '/moby.filesync.v1.FileSync/DiffCopy';
const savePath = '/moby.filesync.v1.FileSend/DiffCopy';

let root: string;
let sessions: Sessions;
before(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-session-'));
  sessions = new Sessions(join(root, 'copies'));
});
after(() => rmSync(root, { recursive: true }));

let opened = 0;
function open(methods: Readonly<Record<string, Method>>, sharedKey = `key ${opened}`): Session {
  const connection = fakeClient(methods);
  const id = `session ${opened++}`;
  const session = sessions.open(connection, {
    id,
    name: '',
    sharedKey,
    methods: Object.keys(methods),
  });
  assert.ok(session);
  return session;
}

async function bring(
  session: Session,
  more: Partial<{ signal: AbortSignal; excludePatterns: string[] }> = {},
): Promise<LocalDirectory> {
  return session.localDirectory({
    name: 'context',
    includePatterns: [],
    excludePatterns: [],
    followPaths: [],
    sharedKeyHint: 'context',
    signal: new AbortController().signal,
    ...more,
  });
}

const time = 1_600_000_000_123_456_789n;

test(
  'a directory arrives with modes, times, links and attributes, and belongs to root',
  patience,
  async () => {
    const session = open({
      [filesPath]: serveFiles(() => [
        file('a.txt', 'first'),
        directory('dir', { mode: 0o40700, modTime: 5_000_000_000n }),
        file('dir/big', Buffer.alloc(3_000_000, 'x'), { mode: 0o104755 }),
        { ...file('dir/second', '', { linkname: 'a.txt' }) },
        file('dir/with', 'attribute', {
          xattrs: { 'user.a': Buffer.from('1'), 'trusted.overlay.opaque': Buffer.from('y') },
        }),
        file('empty', ''),
        symlink('link', '../../outside'),
        { path: 'pipe', mode: 0o010600 },
      ]),
    });
    const { path, release } = await bring(session);
    assert.equal(readFileSync(join(path, 'a.txt'), 'utf8'), 'first');
    assert.equal(readFileSync(join(path, 'dir/big')).length, 3_000_000);
    const stat = (name: string) => lstatSync(join(path, name), { bigint: true });
    assert.equal(stat('a.txt').mtimeNs, time);
    assert.deepEqual([stat('a.txt').uid, stat('a.txt').gid], [0n, 0n]);
    assert.equal(stat('dir').mode & 0o7777n, 0o700n);
    assert.equal(stat('dir').mtimeNs, 5_000_000_000n);
    assert.equal(stat('dir/big').mode & 0o7777n, 0o4755n);
    assert.equal(stat('dir/second').ino, stat('a.txt').ino);
    assert.equal(stat('empty').size, 0n);
    assert.equal(readlinkSync(join(path, 'link')), '../../outside');
    assert.equal(stat('link').mtimeNs, time);
    assert.ok(stat('pipe').isFIFO());
    withFd(openDirectory(join(path, 'dir')), (fd) =>
      assert.deepEqual(withFd(openat2(fd, 'with', O_PATH, 0), listXattrs), ['user.a']),
    );
    release();
  },
);

test(
  'the second time only what differs is asked for, and what is gone is removed',
  patience,
  async () => {
    let files: FakeFile[] = [
      directory('dir'),
      file('dir/changed', 'old'),
      file('dir/kept', 'kept'),
      file('gone', 'x'),
      directory('gone-dir'),
      file('gone-dir/x', 'x'),
      file('mode', 'm'),
      file('was-file', 'x'),
      symlink('was-link', 'x'),
    ];
    const asked: string[] = [];
    const bringAgain = async () => {
      asked.length = 0;
      const copy = await bring(open({ [filesPath]: serveFiles(() => files, asked) }, 'the same'));
      copy.release();
      return copy.path;
    };
    const first = await bringAgain();
    assert.equal(asked.length, 6);
    assert.equal(await bringAgain(), first);
    assert.deepEqual(asked, []);
    files = [
      directory('dir'),
      file('dir/changed', 'new', { modTime: time + 1n }),
      file('dir/kept', 'kept'),
      file('mode', 'm', { mode: 0o100755 }),
      directory('was-file'),
      file('was-file/inside', 'i'),
      file('was-link', 'now a file'),
    ];
    assert.equal(await bringAgain(), first);
    assert.deepEqual(asked, ['dir/changed', 'mode', 'was-file/inside', 'was-link']);
    assert.deepEqual(readdirSync(first), ['dir', 'mode', 'was-file', 'was-link']);
    assert.equal(readFileSync(join(first, 'dir/changed'), 'utf8'), 'new');
    assert.equal(readFileSync(join(first, 'was-link'), 'utf8'), 'now a file');
    assert.equal(lstatSync(join(first, 'mode')).mode & 0o777, 0o755);
  },
);

test('names that were one file become two, and two become one', patience, async () => {
  const two = [file('a', 'same'), file('b', 'same')];
  const one = [file('a', 'same'), { ...file('b', ''), linkname: 'a' }];
  let files: FakeFile[] = one;
  const inodes = async () => {
    const copy = await bring(open({ [filesPath]: serveFiles(() => files) }, 'links'));
    copy.release();
    assert.equal(readFileSync(join(copy.path, 'b'), 'utf8'), 'same');
    return new Set(['a', 'b'].map((name) => lstatSync(join(copy.path, name)).ino)).size;
  };
  assert.equal(await inodes(), 1);
  files = two;
  assert.equal(await inodes(), 2);
  files = one;
  assert.equal(await inodes(), 1);
});

const hostile: Record<string, FakeFile[]> = {
  'a path that climbs': [file('../out', 'x')],
  'a path that climbs later': [directory('a'), directory('a/..'), file('a/../out', 'x')],
  'an absolute path': [file('/etc/out', 'x')],
  'a path through a link': [symlink('a', '/tmp'), file('a/out', 'x')],
  'a path through a file': [file('a', 'x'), file('a/out', 'x')],
  'a directory that is not listed': [file('a/out', 'x')],
  'an order that is none': [file('b', 'x'), file('a', 'x')],
  'the same name twice': [symlink('a', '/tmp'), directory('a'), file('a/out', 'x')],
  'an empty name': [directory('a'), file('a/', 'x')],
  'a name with a zero byte': [file('a\0b', 'x')],
  'a device': [{ path: 'null', mode: 0o020666 }],
  'a block device': [{ path: 'disk', mode: 0o060666 }],
  'a hard link out of it': [{ ...file('a', ''), linkname: '../../secret' }],
  'a hard link to a link': [symlink('a', '/etc/passwd'), { ...file('b', ''), linkname: 'a' }],
};

for (const [what, files] of Object.entries(hostile))
  test(`${what} is refused, and the client is told`, patience, async () => {
    const errors: string[] = [];
    const answered = Promise.withResolvers<void>();
    const serve = serveFiles(() => files, [], errors);
    const session = open({
      [filesPath]: (call) => serve(call).finally(() => answered.resolve()),
    });
    await assert.rejects(bring(session), (error: unknown) => {
      assert.ok(error instanceof CortenError);
      assert.equal(error.kind, 'invalid');
      return true;
    });
    await answered.promise;
    assert.equal(errors.length, 1);
    assert.ok(!existsSync(join(root, 'out')) && !existsSync('/tmp/out'));
  });

test(
  'a copy that a build uses is left alone by the next, which has another',
  patience,
  async () => {
    let content = 'one';
    const session = open({ [filesPath]: serveFiles(() => [file('a', content)]) });
    const first = await bring(session);
    content = 'other';
    const second = await bring(session);
    assert.notEqual(second.path, first.path);
    assert.equal(readFileSync(join(first.path, 'a'), 'utf8'), 'one');
    assert.equal(readFileSync(join(second.path, 'a'), 'utf8'), 'other');
    first.release();
    first.release();
    const third = await bring(session);
    assert.equal(third.path, first.path);
    assert.equal(readFileSync(join(third.path, 'a'), 'utf8'), 'other');
  },
);

test(
  'what is asked for is told in the headers, escaped where it is not ASCII',
  patience,
  async () => {
    const headers: NodeJS.Dict<string | string[]>[] = [];
    const serve = serveFiles(() => []);
    const session = open({
      [filesPath]: (call) => {
        headers.push(call.headers);
        return serve(call);
      },
    });
    await bring(session, { excludePatterns: ['a b', 'ü&'] });
    const [
      { 'dir-name': name, 'exclude-patterns': patterns, 'exclude-patterns-encoded': encoded } = {},
    ] = headers;
    assert.deepEqual([name, patterns, encoded], ['context', 'a+b, %C3%BC%26', '1']);
  },
);

test(
  'a directory that the client has not, a cancelled build and a client that goes away',
  patience,
  async () => {
    const refusing = open({
      [filesPath]: async () => Promise.reject(new Error('5 no access allowed to dir "context"')),
    });
    await assert.rejects(
      bring(refusing),
      (error) => error instanceof CortenError && error.kind === 'not-found',
    );

    const arrived = Promise.withResolvers<void>();
    const silent: Method = async ({ stream }) => {
      arrived.resolve();
      await new Promise((resolve) => stream.once('close', resolve));
    };
    const stop = new AbortController();
    const cancelled = bring(open({ [filesPath]: silent }), { signal: stop.signal });
    await arrived.promise;
    stop.abort(new Error('stopped by hand'));
    await assert.rejects(cancelled, /stopped by hand/);

    const session = open({ [filesPath]: async ({ stream }) => stream.session?.destroy() });
    await assert.rejects(bring(session), /gone away|ended/);
    assert.ok(session.closed.aborted);
    await assert.rejects(sessions.find(session.id, AbortSignal.timeout(1)));
  },
);

test('a file that the client cuts short is asked for again', patience, async () => {
  const cut: Method = async (call) => {
    call.send(
      packet({
        type: PacketType.PACKET_STAT,
        stat: statOf(file('a', 'whole')),
      }),
    );
    call.send(packet({ type: PacketType.PACKET_STAT }));
    for await (const message of call.messages()) {
      assert.equal(fromBinary(PacketSchema, message).type, PacketType.PACKET_REQ);
      call.send(packet({ type: PacketType.PACKET_DATA, ID: 0, data: Buffer.from('who') }));
      return;
    }
  };
  await assert.rejects(bring(open({ [filesPath]: cut }, 'cut')), /ended before all files/);
  const asked: string[] = [];
  const { path } = await bring(
    open({ [filesPath]: serveFiles(() => [file('a', 'whole')], asked) }, 'cut'),
  );
  assert.deepEqual(asked, ['a']);
  assert.equal(readFileSync(join(path, 'a'), 'utf8'), 'whole');
});

const answer =
  (message: Uint8Array): Method =>
  async (call) =>
    call.send(message);

test('secrets, credentials and ssh agents', patience, async () => {
  const session = open({
    '/moby.buildkit.secrets.v1.Secrets/GetSecret': async (call) => {
      for await (const message of call.messages()) {
        const { ID } = fromBinary(GetSecretRequestSchema, message);
        if (ID !== 'mine') throw new Error('5 no such secret');
        return call.send(
          toBinary(
            GetSecretResponseSchema,
            create(GetSecretResponseSchema, { data: Buffer.from('s3cret') }),
          ),
        );
      }
    },
    '/moby.filesync.v1.Auth/Credentials': async (call) => {
      for await (const message of call.messages()) {
        const { Host } = fromBinary(CredentialsRequestSchema, message);
        const known = Host === 'registry-1.docker.io' ? { Username: 'me', Secret: 'pass' } : {};
        return call.send(
          toBinary(CredentialsResponseSchema, create(CredentialsResponseSchema, known)),
        );
      }
    },
    '/moby.sshforward.v1.SSH/CheckAgent': answer(new Uint8Array()),
    '/moby.sshforward.v1.SSH/ForwardAgent': async (call) => {
      assert.equal(call.headers['buildkit.ssh.id'], 'default');
      for await (const message of call.messages()) call.send(message);
    },
  });
  assert.equal((await session.secret('mine'))?.toString(), 's3cret');
  assert.equal(await session.secret('other'), undefined);
  assert.deepEqual(await session.credentials('docker.io'), { username: 'me', password: 'pass' });
  assert.equal(await session.credentials('example.com'), undefined);
  const agent = await session.sshAgent('default');
  agent.end('an echo');
  assert.equal(await text(agent), 'an echo');
  const none = open({});
  assert.equal(await none.secret('mine'), undefined);
  await assert.rejects(none.sshAgent('default'), /no ssh agent/);
});

test(
  'a file is saved at the client in pieces, and its end waits for the client',
  patience,
  async () => {
    const taken: Buffer[] = [];
    let headers: NodeJS.Dict<string | string[]> = {};
    const session = open({
      [savePath]: async (call) => {
        headers = call.headers;
        for await (const message of call.messages())
          taken.push(Buffer.from(fromBinary(BytesMessageSchema, message).data));
      },
    });
    const content = Buffer.alloc(5_000_000, 'abcdefg');
    await pipeline([content], await session.saveFile(2, { 'containerimage.digest': 'sha256:x' }));
    assert.ok(Buffer.concat(taken).equals(content));
    assert.ok(taken.every(({ length }) => length < 4_000_000));
    assert.equal(headers['buildkit-attachable-exporter-id'], '2');
    assert.equal(headers['exporter-md-containerimage.digest'], 'sha256:x');

    const refusing = open({
      [savePath]: async () => Promise.reject(new Error('6 target already exists')),
    });
    await assert.rejects(pipeline([content], await refusing.saveFile(0, {})), /already exists/);
  },
);

test(
  'a directory is saved at the client: list in order, content of what is asked for',
  patience,
  async () => {
    const from = join(root, 'output');
    mkdirSync(join(from, 'b'), { recursive: true });
    writeFileSync(join(from, 'b/file'), Buffer.alloc(300_000, 'y'));
    linkSync(join(from, 'b/file'), join(from, 'b/twin'));
    symlinkSync('b/file', join(from, 'a-link'));
    writeFileSync(join(from, 'b.txt'), 'not wanted');
    chmodSync(join(from, 'b.txt'), 0o4755);
    const listed: string[] = [];
    const contents = new Map<number, Buffer[]>();
    const session = open({
      [savePath]: async (call) => {
        for await (const message of call.messages()) {
          const { type, stat, ID, data } = fromBinary(PacketSchema, message);
          if (type === PacketType.PACKET_FIN) return;
          if (type === PacketType.PACKET_STAT) {
            if (stat === undefined) call.send(packet({ type: PacketType.PACKET_REQ, ID: 4 }));
            else
              listed.push(
                `${stat.path} ${kindOf(stat.mode)} ${permissionsOf(stat.mode).toString(8)} ${stat.linkname}`.trim(),
              );
            continue;
          }
          assert.equal(type, PacketType.PACKET_DATA);
          if (data.length === 0) call.send(packet({ type: PacketType.PACKET_FIN }));
          else contents.set(ID, [...(contents.get(ID) ?? []), Buffer.from(data)]);
        }
      },
    });
    await session.saveDirectory(0, from, {});
    // Depth first, by bytes within a directory.
    assert.deepEqual(listed, [
      'a-link symlink 777 b/file',
      'b directory 755',
      'b/file file 644',
      'b/twin file 644 b/file',
      'b.txt file 4755',
    ]);
    assert.equal(Buffer.concat(contents.get(4) ?? []).length, 10);
  },
);

test(
  'a session that comes later is waited for, one with the same id is refused',
  patience,
  async () => {
    const waiting = sessions.find('late', new AbortController().signal);
    const headers = { id: 'late', name: '', sharedKey: '', methods: [] };
    const late = sessions.open(fakeClient({}), headers);
    assert.equal(await waiting, late);
    const [second] = duplexPair();
    assert.equal(sessions.open(second, headers), undefined);
    assert.ok(second.destroyed);
  },
);
