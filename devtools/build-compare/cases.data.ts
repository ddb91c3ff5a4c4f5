/** What both engines build. Each case is small and is about one thing. */
export interface BuildCase {
  name: string;
  dockerfile: string;
  /** The context: a file's text, or what else lies there. */
  files?: Record<string, string | ContextEntry>;
  /** More arguments of `docker build`. */
  args?: string[];
  /** The build must fail, and both engines' messages have to contain this. */
  fails?: string;
}

export type ContextEntry =
  | { text: string; mode: number }
  | { link: string }
  | { directory: true; mode?: number };

export const base = 'corten/starter:latest';

export const cases: BuildCase[] = [
  {
    name: 'plain',
    dockerfile: `FROM ${base}\nRUN echo one > /one && chmod 640 /one\nENV A=1 B="two words"\nLABEL a=b c="d e"\nWORKDIR /work/deep\nUSER 1000:1000\nEXPOSE 80 53/udp\nVOLUME /data\nSTOPSIGNAL SIGINT\nENTRYPOINT ["/bin/sh"]\nCMD ["-c", "echo hi"]\n`,
  },
  {
    name: 'copy-files',
    dockerfile: `FROM ${base}\nCOPY a.txt /dest/\nCOPY a.txt b.txt /two/\nCOPY a.txt /renamed\nCOPY dir /dir\nCOPY dir/ /slash/\nCOPY --chown=12:34 a.txt /owned\nCOPY --chmod=0600 a.txt /private\nCOPY *.txt /wild/\nCOPY link /linked\n`,
    files: {
      'a.txt': 'a\n',
      'b.txt': 'b\n',
      'dir/inner/deep.txt': 'deep\n',
      'dir/run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
      'dir/empty': { directory: true },
      'dir/to-run': { link: 'run.sh' },
      link: { link: 'a.txt' },
    },
  },
  {
    name: 'copy-onto',
    dockerfile: `FROM ${base}\nRUN mkdir -p /real /d && ln -s /real /via && echo old > /d/file\nCOPY a.txt /via/\nCOPY d /d\nWORKDIR /via/sub\nCOPY a.txt .\n`,
    files: { 'a.txt': 'a\n', 'd/file': 'new\n', 'd/more': 'more\n' },
  },
  {
    name: 'stages',
    dockerfile: `FROM ${base} AS build\nRUN mkdir /out && echo built > /out/app && chmod 755 /out/app\nFROM ${base} AS unused\nRUN exit 3\nFROM scratch\nCOPY --from=build /out/ /\nCOPY --from=0 /out/app /again\nCOPY --from=${base} /etc/passwd /users\nCMD ["/app"]\n`,
  },
  {
    name: 'target',
    dockerfile: `FROM ${base} AS one\nRUN echo one > /stage\nFROM one AS two\nRUN echo two > /stage\nFROM two AS three\nRUN exit 1\n`,
    args: ['--target', 'two'],
  },
  {
    name: 'arguments',
    dockerfile: `ARG BASE=${base}\nARG OUTER=outer\nFROM \${BASE}\nARG OUTER\nARG GIVEN=default\nARG EMPTY\nENV FROM_ARG=\${GIVEN:-none} ELSE=\${EMPTY:-else} SET=\${GIVEN:+set} CUT=\${GIVEN%%-*}\nRUN echo "$OUTER $GIVEN [$EMPTY] $TARGETARCH $TARGETOS $TARGETPLATFORM" > /args\nENV PATH=/extra:$PATH\n`,
    args: ['--build-arg', 'GIVEN=from-command-line', '--build-arg', 'UNUSED=x'],
  },
  {
    name: 'heredocs',
    dockerfile: `FROM ${base}\nRUN <<EOF\necho first > /first\necho second > /second\nEOF\nCOPY <<one.txt <<-"two.txt" /dest/\nname is $PATH\none.txt\n\tname is $PATH\ntwo.txt\nRUN <<EOF cat > /third\nthird\nEOF\n`,
  },
  {
    name: 'mounts',
    dockerfile: `FROM ${base} AS tool\nRUN echo tool > /tool\nFROM ${base}\nRUN --mount=type=bind,from=tool,source=/tool,target=/mnt/tool cat /mnt/tool > /got\nRUN --mount=type=bind,source=a.txt,target=/a.txt cat /a.txt > /bound\nRUN --mount=type=cache,target=/cache echo x > /cache/x && ls /cache > /listed\nRUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x && ls /scratch > /tmpfs\nRUN ls -la / | grep -c cache > /left || true\n`,
    files: { 'a.txt': 'a\n' },
  },
  {
    name: 'secret',
    dockerfile: `FROM ${base}\nRUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /length\nRUN --mount=type=secret,id=token,target=/elsewhere,mode=0440,uid=5 ls -ln /elsewhere | cut -d' ' -f1 > /mode\nRUN test ! -e /run/secrets/token\n`,
    files: { 'token.txt': 'hidden' },
    args: ['--secret', 'id=token,src=token.txt'],
  },
  {
    name: 'add',
    dockerfile: `FROM ${base}\nADD archive.tar /unpacked/\nCOPY archive.tar /copied/\nADD plain.txt /plain/\n`,
    files: { 'plain.txt': 'plain\n', 'archive.tar': { text: 'tar', mode: 0o644 } },
  },
  {
    name: 'ignored',
    dockerfile: `FROM ${base}\nCOPY . /all/\n`,
    files: {
      '.dockerignore': '# comment\n*.log\n!keep.log\nsecret\n**/deep\n/only-top\n',
      'a.log': 'log\n',
      'keep.log': 'kept\n',
      'secret/key': 'key\n',
      'dir/deep/file': 'deep\n',
      'dir/only-top': 'below\n',
      'only-top': 'top\n',
      'b.txt': 'b\n',
    },
  },
  {
    name: 'removals',
    dockerfile: `FROM ${base}\nRUN mkdir /d && echo 1 > /d/one && echo 2 > /d/two\nRUN rm /d/one && rm -r /var 2>/dev/null; true\nRUN rm -rf /d && mkdir /d && echo 3 > /d/three\nRUN mv /d /moved && chmod 700 /moved && chown 5:6 /moved/three\n`,
  },
  {
    name: 'links-and-modes',
    dockerfile: `FROM ${base}\nRUN echo x > /f && ln /f /hard && ln -s f /soft && mkfifo /pipe && chmod 4755 /f && mkdir -m 1777 /sticky && touch -d @86400 /old\n`,
  },
  {
    name: 'shell-and-health',
    dockerfile: `FROM ${base}\nSHELL ["/bin/sh", "-ec"]\nRUN echo $0 > /shell\nHEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD echo ok\nCMD echo hi\nENTRYPOINT echo entry\nONBUILD RUN echo later\nMAINTAINER somebody\n`,
  },
  {
    name: 'platform-and-user',
    dockerfile: `FROM --platform=$BUILDPLATFORM ${base}\nUSER nobody\nRUN id -u > /tmp/id\nUSER 0\nWORKDIR relative\nWORKDIR ../other\nRUN pwd > /pwd\n`,
  },
  {
    name: 'copy-more',
    dockerfile: `FROM ${base}\nCOPY --link a.txt /linked/\nCOPY --link --chown=7 d /linked-d/\nCOPY --chmod=0711 d /modes\n`,
    files: { 'a.txt': 'a\n', 'd/file': 'file\n', 'd/sub/x': 'x\n' },
  },
  {
    name: 'escape-directive',
    dockerfile: `# escape=\`\nFROM ${base}\nRUN echo one \`\n  # a comment between\n\n  two > /joined\nENV P=c:\\dir\n`,
  },
  { name: 'fails-run', dockerfile: `FROM ${base}\nRUN exit 7\n`, fails: 'exit code: 7' },
  {
    name: 'fails-copy',
    dockerfile: `FROM ${base}\nCOPY missing /\n`,
    fails: '"/missing": not found',
  },
  {
    name: 'fails-instruction',
    dockerfile: `FROM ${base}\nRUNN true\n`,
    fails: 'unknown instruction: RUNN',
  },
  { name: 'fails-stage', dockerfile: `FROM ${base}\n`, args: ['--target', 'no'], fails: 'no' },
];
