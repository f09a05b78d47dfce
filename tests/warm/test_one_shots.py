"""JavaScript and Java, cold and by interpreters that were started before: the same but for the time."""
import json
import os
import signal
import time
from pathlib import Path

import pytest
from client import Client, assert_random, assert_same


def java(body, members="", imports=""):
    return (f"import java.util.*;\n{imports}\npublic class Main {{\n{members}\n"
            f"  public static void main(String[] args) throws Exception {{\n{body}\n  }}\n}}\n")


def module(code, **fields):
    """An ES module."""
    return None, {"entry": "main.mjs", "files": [{"path": "main.mjs", "content": code}], **fields}


AWKWARD = ["a b", "", "ä€😀", "-e", "--version", "\"\\'\n\t\x01", "$HOME `id`", "\u2028"]

JAVASCRIPT = {
    "line": "console.log(6 * 7)",
    "arguments": ("console.log(JSON.stringify([process.argv, process.argv0, process.execArgv, process.execPath]))",
                  {"args": AWKWARD}),
    "no arguments": "console.log(process.argv, process.execArgv, process.title)",
    "many arguments": ("console.log(process.argv.length, process.argv[900])", {"args": ["x" * 50] * 1000}),
    "environment": ("console.log(Object.entries(process.env).sort(), process.env.A, 'A' in process.env)\n"
                    "console.log(require('child_process').execSync('env | sort').toString())",
                    {"env": {"A": "1 2", "B": "ä"}}),
    "environment of its own": "process.env.X = 'y'; delete process.env.LANG; console.log(process.env.X)\n"
                              "console.log(require('child_process').execSync('echo $X $LANG').toString())",
    "names": "console.log(__filename, __dirname, require.main === module, module.id, module.paths, process.cwd())",
    "caches": "console.log(Object.keys(require.cache), module.children, module.parent, process.mainModule === module)\n"
              "console.log(require('module').globalPaths, Object.keys(require('module')._pathCache))",
    "globals": "console.log(Object.getOwnPropertyNames(globalThis).sort(), Object.keys(process).sort())",
    "properties": "console.log(Object.getOwnPropertyNames(process.stdout).length, Object.keys(process.stdout))\n"
                  "console.log(process.stdout.constructor.name, process.stderr.constructor.name, console.log.name)",
    "listeners": "console.log(process.eventNames(), process.stdout.eventNames(), process.listenerCount('exit'))",
    "input": ("process.stdin.on('data', d => process.stdout.write(d.toString().toUpperCase()))",
              {"stdin": "one\ntwo\nthree"}),
    "input at once": ("console.log(require('fs').readFileSync(0, 'utf8'))", {"stdin": "one\ntwo\n" * 5000}),
    "input by line": ("const r = require('readline').createInterface({input: process.stdin})\n"
                      "r.on('line', l => console.log(l.length))", {"stdin": "one\nthree\n"}),
    "uncaught": "function f(x) {\n  throw new RangeError('no')\n}\nf(1)",
    "cause": "throw new Error('a', {cause: new Error('b')})",
    "thrown text": "throw 'text'",
    "rejected": "Promise.reject(new TypeError('later'))",
    "stack": "function f() { return new Error('x').stack }\nconsole.log(f())",
    "trace": "console.trace('here'); console.log(new Error().stack.split('\\n').length)",
    "misspelt": "consol.log(1)",
    "syntax": "let x = ;",
    "missing": "require('nosuchthing')",
    "missing file": "require('./nosuchthing')",
    "exit": "process.exit(3)",
    "exit code": "process.exitCode = 4; console.log('on')",
    "exit handlers": "process.on('exit', c => console.log('last', c)); process.on('beforeExit', () => console.log('before'))",
    "abort": "process.abort()",
    "signal": "console.log('before'); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
    "signal handler": "process.on('SIGUSR2', () => { console.log('got'); process.exit() }); setTimeout(() => {}, 5000)\n"
                      "process.kill(process.pid, 'SIGUSR2')",
    "order": "setTimeout(() => console.log('timeout'), 0); setImmediate(() => console.log('immediate'))\n"
             "process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('micro')); console.log('now')",
    "recursion": "function f() { f() }\ntry { f() } catch (e) { console.log(e.message) }",
    "files": ("console.log(require('./lib/helper').x, require('./data.json'))",
              {"files": [{"path": "lib/helper.js", "content": "exports.x = __filename"},
                         {"path": "data.json", "content": "[1, {\"a\": null}]"}]}),
    "package": ("console.log(require('own'))",
                {"files": [{"path": "node_modules/own/package.json", "content": "{\"main\": \"m.js\"}"},
                           {"path": "node_modules/own/m.js", "content": "module.exports = 'own'"}]}),
    "package of modules": ("import fs from 'fs'; console.log(typeof fs.readFileSync, import.meta.url)",
                           {"files": [{"path": "package.json", "content": "{\"type\": \"module\"}"}]}),
    "module": module("import {x} from './lib.mjs'; import path from 'node:path'; console.log(x, path.sep, import.meta.url, "
                     "process.argv); await 0; console.log(this)", args=["a"]),
    "module's error": module("const a = 1;\nnull.x;\n"),
    "import": "import('fs').then(m => console.log(typeof m.readFileSync, Object.keys(m).length))",
    "worker": "const {Worker, isMainThread, workerData, parentPort} = require('worker_threads')\n"
              "if (isMainThread) { const w = new Worker(__filename, {workerData: 20, argv: ['q']}); "
              "w.on('message', m => console.log('got', m)); w.on('exit', c => console.log('exit', c)) }\n"
              "else { console.log(process.argv, process.execArgv); parentPort.postMessage(workerData + 1) }",
    "cluster": "const c = require('cluster')\nif (c.isPrimary) { const w = c.fork(); w.on('exit', code => console.log('worker', code)) }\n"
               "else process.exit(7)",
    "child": "const c = require('child_process').fork(__filename.replace('main', 'other'), ['z'])\n"
             "c.on('message', m => { console.log(m); c.disconnect() })",
    "fork": ("const c = require('child_process').fork('./other.js', ['z'])\nc.on('message', m => { console.log(m) })",
             {"files": [{"path": "other.js", "content": "process.send([process.argv, process.execArgv]); process.disconnect()"}]}),
    "spawn": "console.log(require('child_process').spawnSync('sh', ['-c', 'echo hi; ls /proc/self/fd; exit 3']).stdout.toString())",
    "node in it": "console.log(require('child_process').execFileSync(process.execPath, ['-p', '[process.argv.length, process.env.LD_PRELOAD]']).toString())",
    "async": "const sleep = t => new Promise(r => setTimeout(r, t))\n;(async () => { await sleep(5); console.log('slept') })()",
    "server": "const http = require('http')\nconst s = http.createServer((q, r) => r.end('served ' + q.url)).listen(0, '127.0.0.1', () => "
              "http.get({port: s.address().port, path: '/x'}, r => r.on('data', d => { console.log(d.toString()); s.close() })))",
    "crypto": "console.log(require('crypto').createHash('sha256').update('x').digest('hex'))",
    "zlib": "const z = require('zlib'); console.log(z.gunzipSync(z.gzipSync('hello'.repeat(100))).length)",
    "buffers": "console.log(Buffer.from('ä€'), new Uint8Array(3), new Map([[1, {a: new Set([2])}]]), [undefined, null, , 1n])",
    "test": "const test = require('node:test'); test('t', t => {}); process.on('exit', c => console.error(c))\n"
            "process.stdout.write = () => true // it says how long it took",
    "locale": "console.log((1234.5).toLocaleString(), new Intl.DateTimeFormat().resolvedOptions(), new Date(0).toString())",
    "collator": "console.log(['ä', 'z', 'a'].sort(new Intl.Collator('de').compare), 'ß'.toUpperCase())",
    "errors": "console.error('err'); console.warn('%s %o', 1, {a: 1}); console.log('%c', 'x'); console.table([[1, 2]]); console.group('g'); console.log('in')",
    "counted": "console.count(); console.count('a'); console.timeEnd('none'); console.dir({a: {b: {c: {d: 1}}}}, {depth: 0})",
    "output": "process.stdout.write('x'.repeat(300000)); process.stdout.write('no newline')",
    "output and exit": "for (let i = 0; i < 2000; i++) console.log('line', i); process.exit(2)",
    "output limit": ("for (let i = 0; i < 5000; i++) console.log('line', i)", {"limits": {"stdout_bytes": 1000}}),
    "closed": "process.stdout.end('last'); process.stdout.on('close', () => console.error('closed'))",
    "collect": ("require('fs').writeFileSync('out.txt', 'x')", {"collect": ["*"]}),
    "workspace": "console.log(require('fs').readdirSync('/workspace'), require('fs').readdirSync('/tmp'), process.umask())",
    "ids": "console.log(process.pid, process.getuid(), process.getgid(), process.getgroups())",
    "versions": "console.log(process.version, process.platform, process.arch, process.release.name, process.features)",
    "resources": "console.log(process.report === undefined, process.memoryUsage().heapTotal > 0, v => v)",
    "handles": "console.log(1); setImmediate(() => console.log(process._getActiveHandles().length, process._getActiveRequests().length))",
    "descriptors": "console.log(require('fs').readdirSync('/proc/self/fd').map(Number).filter(n => n < 3))\n"
                   "console.log(require('fs').openSync('main.js') < 30)",
    "preloads": "console.log(process._preload_modules, require('fs').readFileSync('/proc/self/status', 'utf8').match(/Seccomp:.*/)[0])",
    "own environment": "console.log(require('fs').readFileSync('/proc/self/environ', 'utf8').includes('CELLA_NO'))",
    "vm": "console.log(require('vm').runInNewContext('a + 1', {a: 41}), eval('1+1'), new Function('return 3')())",
    "assert": "require('assert').strictEqual(1, 2)",
    "strict": "'use strict'; undefinedVariable = 1",
    "refused": "try { process.setuid(0) } catch (e) { console.log(e.code) }",
    "weak": "const r = new WeakRef({}); const f = new FinalizationRegistry(() => {}); f.register({}, 1); console.log(typeof r.deref())",
    "performance": "console.log(performance.now() > 0, process.uptime() > 0, process.hrtime().length)",
}

JAVA = {
    "line": java("System.out.println(6 * 7);"),
    "arguments": (java("System.out.println(args.length); for (String a : args) System.out.println('[' + a + ']');"),
                  {"args": AWKWARD}),
    "no arguments": java("System.out.println(args.length + Arrays.toString(args));"),
    "environment": (java("System.out.println(new TreeMap<>(System.getenv()));\n"
                         "new ProcessBuilder(\"sh\", \"-c\", \"env | sort | grep -v ^_=; ls /proc/self/fd\").inheritIO().start().waitFor();"),
                    {"env": {"A": "1 2", "B": "ä"}}),
    "properties": java("for (String k : List.of(\"java.class.path\", \"user.dir\", \"user.home\", \"user.name\", \"file.encoding\", "
                       "\"java.io.tmpdir\", \"java.version\", \"user.language\", \"sun.jnu.encoding\", \"line.separator\")) "
                       "System.out.println(k + \"=\" + System.getProperty(k));"),
    "input": (java("Scanner s = new Scanner(System.in); while (s.hasNextLine()) System.out.println(s.nextLine().length());"),
              {"stdin": "one\nthree\nä€"}),
    "uncaught": java("f(1);", "static void f(int x) {\n  throw new IllegalStateException(\"no\");\n}"),
    "cause": java("try { Integer.parseInt(\"x\"); } catch (Exception e) { throw new RuntimeException(\"second\", e); }"),
    "stack": java("for (StackTraceElement e : new Throwable().getStackTrace()) System.out.println(e);\n"
                  "long n = StackWalker.getInstance().walk(s -> s.count()); System.out.println(n);"),
    "exit": java("System.out.println(\"on\"); System.exit(3);"),
    "hooks": java("Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println(\"last\"))); System.out.println(\"end\");"),
    "halt": java("System.out.print(\"x\"); Runtime.getRuntime().halt(5);"),
    "threads": java("List<Thread> t = new ArrayList<>(); for (int i = 0; i < 4; i++) { int n = i; Thread x = new Thread(() -> { synchronized (Main.class) "
                    "{ sum += n; } }); x.start(); t.add(x); } for (Thread x : t) x.join(); System.out.println(sum);", "static int sum;"),
    "threads there are": java("System.out.println(Thread.currentThread() + \" \" + Thread.activeCount() + new TreeSet<>(Thread.getAllStackTraces()"
                              ".keySet().stream().map(Thread::getName).toList()));"),
    "goes on": java("new Thread(() -> { try { Thread.sleep(50); } catch (InterruptedException e) { } System.out.println(\"later\"); }).start();"),
    "recursion": java("try { f(0); } catch (StackOverflowError e) { System.out.println(\"deep \" + (depth > 2000)); }",
                      "static int depth; static void f(int n) { depth = n; f(n + 1); }"),
    "memory": (java("List<byte[]> l = new ArrayList<>(); while (true) l.add(new byte[1 << 20]);"), {"limits": {"memory_bytes": 128 << 20}}),
    "classes": (java("System.out.println(Helper.x() + Main.class.getClassLoader().getClass().getName() + Main.class.getResource(\"Main.class\"));\n"
                     "System.out.println(new String(Files.readAllBytes(Path.of(\"data.txt\"))));", imports="import java.nio.file.*;"),
                {"files": [{"path": "Helper.java", "content": "class Helper { static String x() { return \"helper\"; } }"},
                           {"path": "data.txt", "content": "data ä"}]}),
    "other main": (None, {"entry": "Main.java", "files": [
        {"path": "Main.java", "content": "class Nothing { }"},
        {"path": "deep/Other.java", "content": "package deep; public class Other { public static void main(String[] a) { System.out.println(a[0] + Other.class); } }"}],
        "args": ["x"]}),
    "not public": "class Main { static public void main(String... a) { System.out.println(a.length); } }",
    "streams": java("System.out.println(IntStream.range(0, 10).boxed().collect(Collectors.toMap(i -> i, i -> \"v\" + i)));",
                    imports="import java.util.stream.*;"),
    "records": java("System.out.println(new P(1, \"a\") + \" \" + new P(1, \"a\").equals(new P(1, \"a\")));", "record P(int a, String b) { }"),
    "time": java("System.out.println(java.time.ZoneId.systemDefault() + \" \" + java.time.Instant.EPOCH + Locale.getDefault());"),
    "unicode": java("String größe = \"ü€😀\"; System.out.println(größe + größe.length());"),
    "stderr": java("System.err.println(\"err ä\"); System.out.println(\"out\");"),
    "collect": (java("Files.writeString(Path.of(\"out.txt\"), \"x\");", imports="import java.nio.file.*;"), {"collect": ["*.txt"]}),
    "workspace": java("for (String d : List.of(\"/workspace\", \"/tmp\")) System.out.println(Arrays.toString(Arrays.stream(new java.io.File(d).list()).sorted().toArray()));"),
    "agent": java("System.out.println(ProcessHandle.current().pid() + \" \" + ProcessHandle.current().info().command());"),
    "random": java("System.out.println(new Random(5).nextInt() + \" \" + UUID.nameUUIDFromBytes(new byte[1]));"),
}

TYPESCRIPT = {
    "line": "const n: number = 42; console.log(n)",
    "arguments": ("console.log(JSON.stringify(process.argv), __filename, require.main === module)", {"args": AWKWARD}),
    "uncaught": "function f(x: number): never {\n  throw new RangeError('no ' + x)\n}\nf(1)",
    "await": "const x: number = await Promise.resolve(5); console.log(x, import.meta.url)",
    "files": ("import {x} from './lib'; console.log(x)", {"files": [{"path": "lib.ts", "content": "export const x: string = 'lib'"}]}),
}

CASES = [(language, name, entry)
         for language, programs in (("javascript", JAVASCRIPT), ("java", JAVA), ("typescript", TYPESCRIPT))
         for name, entry in programs.items()]

RANDOM = {
    "javascript": "const c = require('crypto'); console.log(Math.random(), c.randomUUID(), c.randomBytes(8).toString('hex'), "
                  "crypto.getRandomValues(new Uint32Array(4)).join('-'), require('fs').mkdtempSync('/tmp/x'))",
    "java": java("System.out.println(Math.random() + \" \" + new Random().nextLong() + \" \" + UUID.randomUUID() + \" \" + "
                 "new java.security.SecureRandom().nextLong() + \" \" + "
                 "java.nio.file.Files.createTempFile(\"x\", \"\"));"),
}


@pytest.mark.parametrize(("language", "name", "entry"), CASES,
                         ids=[f"{language}-{name}" for language, name, _ in CASES])
def test_the_same(cold, warm, language, name, entry):
    assert_same(cold, warm, language, entry)


@pytest.mark.parametrize("language", RANDOM)
def test_entropy(warm, language):
    assert_random(warm, language, RANDOM[language])


PROBE = "console.log(JSON.stringify([process.argv.length, process.env.A, Object.keys(globalThis).includes('left')])); globalThis.left = 1"


def test_each_serves_one_run(warm):
    """And its processor time before that is not the run's."""
    for _ in range(6):
        result = warm.run("javascript", code=PROBE, args=["x"], env={"A": "1"})
        assert json.loads(result["stdout"]) == [3, "1", False]
    result = warm.run("javascript", code="setTimeout(() => {}, 600)")
    assert 0 < result["usage"]["user_ms"] + result["usage"]["system_ms"] < 300, result["usage"]
    assert 550 < result["usage"]["wall_ms"] < 5000


def test_limits_begin_with_the_run(warm):
    result = warm.run("javascript", code="for (;;);", limits={"cpu_ms": 400})
    assert result["status"] == "cpu_time"
    assert 400 <= result["usage"]["user_ms"] + result["usage"]["system_ms"] < 1500, result["usage"]
    result = warm.run("javascript", code="setTimeout(() => {}, 30000)", limits={"wall_ms": 700})
    assert result["status"] == "wall_time"


@pytest.mark.parametrize(("language", "env"), [("javascript", {"NODE_OPTIONS": "--no-warnings"}), ("java", {"TZ": "Asia/Tokyo"})])
def test_what_the_interpreter_reads_at_its_start(user, any_start, language, env):
    """Such a run is started anew."""
    code = {"javascript": "console.log(1)", "java": JAVA["line"]}[language]
    deadline = time.monotonic() + 60  # until there is one that it could have been given
    while any_start.run(language, code=code)["start"] != "warm":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for _ in range(4):
        result = any_start.run(language, code=code, env=env)
        assert (result["status"], result["start"]) == ("ok", "cold")


CONFINED = """
process.stdout.write(''); process.stderr.write('')
const fs = require('fs'), own = n => fs.readFileSync('/proc/self/' + n, 'utf8')
const status = own('status').split('\\n').filter(l => /^(Cap|NoNew|Seccomp|Uid|Gid|Groups|Umask|Sig|Shd|Speculation|Cpus)/.test(l))
const links = fs.readdirSync('/proc/self/fd').map(n => { try { return n + ' ' + fs.readlinkSync('/proc/self/fd/' + n).replace(/[0-9]+/, '') } catch { return '' } })
console.log(JSON.stringify([status, own('limits'), own('mountinfo').replace(/^\\d+ \\d+ \\S+ |.id=\\d+/gm, ''), own('uid_map').replace(/ 19\\d+/, ''), own('cgroup'), links.sort(),
  own('oom_score_adj'), own('wchan'), fs.readdirSync('/proc').filter(n => n > 0), fs.readdirSync('/proc/self/task').length > 3,
  process.ppid, os = require('os').hostname(), fs.readFileSync('/proc/1/comm', 'utf8')]))
"""


def test_it_is_confined_as_a_cold_one(cold, warm):
    expected, found = (json.loads(which.run("javascript", code=CONFINED)["stdout"]) for which in (cold, warm))
    for one, other in zip(expected, found, strict=True):
        assert one == other


def waiting(keeper, name="node"):
    """One-shots that wait, or run: the grandchildren of the keeper."""
    found = []
    for init in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        try:
            for child in Path(f"/proc/{init}/task/{init}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text() == f"{name}\n":
                    found.append(int(child))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return found


def wait_for_ready(client):
    deadline = time.monotonic() + 60
    while client.run("javascript", code="console.log(1)")["start"] != "warm":
        assert time.monotonic() < deadline
    while not waiting(client.keeper()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_has_died_costs_no_request(user):
    client = Client(user, "any")
    try:
        wait_for_ready(client)
        for _ in range(3):
            for pid in waiting(client.keeper()):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)  # just as it is taken, it would be this run's program that was killed
            result = client.run("javascript", code="console.log(process.argv.length)")
            assert (result["status"], result["stdout"]) == ("ok", "2\n"), result
        wait_for_ready(client)
    finally:
        client.close()


def test_one_that_waits_holds_nothing_of_the_host(user):
    client = Client(user, "any")
    try:
        wait_for_ready(client)
        time.sleep(1)  # while one is being started it has the guest library
        for pid in waiting(client.keeper()):
            status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            links = {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
            assert links <= {"pipe", "socket", "anon_inode", "/dev/null"}, links
    finally:
        client.close()


def test_they_go_with_their_engine(user):
    client = Client(user, "any")
    wait_for_ready(client)
    ones = waiting(client.keeper())
    client.close()
    assert ones
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in ones):
        assert time.monotonic() < deadline
        time.sleep(0.05)
