"""A server keeps warm what it is asked for again, also for `cella run`."""
import ctypes
import functools
import json
import os
import platform
import signal
import subprocess
from concurrent import futures

import pytest
from client import zygotes
from program import CELLA, USERS, valid
from server import Server, wait_until

TRIES = 200
CHILDREN = 2000  # of one zygote
REQUEST = {"language": "python", "code": "print(6 * 7)"}
PTRACE_GETREGS, PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_INTERRUPT = 12, 24, 0x4206, 0x4207
SYS_SENDMSG, ORIG_RAX = 46, 15

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
ptrace.restype = ctypes.c_long


@pytest.fixture(scope="module", params=USERS)
def server(request):
    with Server("--pool-memory", "256m", user=request.param) as running:
        running.user = request.param
        yield running


def test_posts_become_warm(server):
    for _ in range(TRIES):
        status, _, body = server.ask("POST", "/v1/runs", REQUEST)
        result = valid(body)
        assert (status, result["stdout"]) == (200, "42\n")
        if result["start"] == "warm":
            return
    pytest.fail(f"no run was warm: {pools(server)}")


def test_cella_run_is_warm_by_it(server):
    test_posts_become_warm(server)
    command = [*USERS[server.user], CELLA, "run", "--json", "-l", "python", "-c", REQUEST["code"]]
    for _ in range(TRIES):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              check=True, env={"PATH": "/usr/bin:/bin", "CELLA_SOCKET": server.socket})
        result = valid(json.loads(done.stdout))
        assert result["stdout"] == "42\n"
        if result["start"] == "warm":
            return
    pytest.fail("no run was warm")


# ---- what is made ahead shows ----

def pools(server):
    status, _, body = server.ask("GET", "/v1/pools")
    assert status == 200
    return body["pools"]


def pool_of(server, language):
    found = [pool for pool in pools(server) if pool["language"] == language]
    assert len(found) <= 1, found
    return found[0] if found else None


def cella_pool(server, *options):
    return subprocess.run([*USERS[server.user], CELLA, "pool", *options], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", "CELLA_SOCKET": server.socket})


def is_full(pool):
    return pool["ready"] == pool["target"] and pool["problem"] is None


def test_pools_show(server):
    test_posts_become_warm(server)
    wait_until(lambda: is_full(pool_of(server, "python")))
    pool = pool_of(server, "python")
    assert (pool["policy"], pool["problem"]) == ("default", None)
    assert pool["target"] > 0 and pool["active"] == 0 and pool["made"] == pool["taken"] + pool["ready"]
    assert pool["zygotes"] == pool["zygotes_dead"] + 1 and pool["memory_bytes"] > 1 << 20
    shown = cella_pool(server)
    assert (shown.returncode, shown.stderr) == (0, "")
    row = next(line.split() for line in shown.stdout.splitlines() if line.startswith("python"))
    assert row[:5] == ["python", "default", str(pool["ready"]), "of", str(pool["target"])]
    told = json.loads(cella_pool(server, "--json").stdout)
    assert [one["language"] for one in told["pools"]] == [one["language"] for one in pools(server)]


def test_a_pool_without_a_zygote_is_of_no_language(server):
    for _ in range(3):
        assert server.ask("POST", "/v1/runs", {"command": ["/bin/true"]})[0] == 200
    wait_until(lambda: pool_of(server, None) is not None and pool_of(server, None)["ready"] > 0)
    assert pool_of(server, None)["zygotes"] == 0
    assert any(line.startswith("(any)") for line in cella_pool(server).stdout.splitlines())


@pytest.mark.parametrize("user", USERS)
def test_what_runs_make_their_own_is_charged_to_them(user):
    """And not to their zygote, which would not live long beside many."""
    request = {"language": "python", "code": "import time; time.sleep(2)",
               "limits": {"memory_bytes": 24 << 20, "cpus": 0.1, "wall_ms": 20000}}
    first = {**request, "code": "pass"}
    with Server("--pool-memory", "256m", user=user) as server:
        wait_until(lambda: server.run(**first)[2]["start"] == "warm", 30)
        with futures.ThreadPoolExecutor(20) as threads:
            results = list(threads.map(lambda _: server.run(**request)[2], range(20)))
        assert {(result["status"], result["start"]) for result in results} == {("ok", "warm")}
        wait_until(lambda: pool_of(server, "python")["taken"] >= 20)
        assert pool_of(server, "python")["zygotes_dead"] == 0


def test_a_zygote_that_dies_shows(server):
    test_posts_become_warm(server)
    before = pool_of(server, "python")
    for pid in zygotes(server.keeper()):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pool_of(server, "python")["zygotes_dead"] > before["zygotes_dead"])
    test_posts_become_warm(server)


def kill_before_it_tells(zygote, cause):
    """Kills it when it has made a child and is about to tell of it: at its next sendmsg.  False: its
    keeper, which cannot wait for one that is traced, had replaced it before."""
    wait = functools.partial(os.waitpid, zygote, 0x40000000)  # __WALL
    assert ptrace(PTRACE_SEIZE, zygote, None, None) == 0
    assert ptrace(PTRACE_INTERRUPT, zygote, None, None) == 0
    _, status = wait()
    with futures.ThreadPoolExecutor(1) as asking:
        answer = asking.submit(cause)
        registers = (ctypes.c_ulong * 27)()  # struct user_regs_struct
        while os.WIFSTOPPED(status) and registers[ORIG_RAX] != SYS_SENDMSG:
            assert ptrace(PTRACE_SYSCALL, zygote, None, None) == 0
            _, status = wait()
            if os.WIFSTOPPED(status):
                assert ptrace(PTRACE_GETREGS, zygote, None, registers) == 0
        if os.WIFSTOPPED(status):
            os.kill(zygote, signal.SIGKILL)
            wait()
        answer.result()
    return os.WIFSTOPPED(status)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may trace a zygote")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="knows the registers of x86-64")
def test_a_zygote_dies_before_it_tells_of_a_child(server):
    """Its sandbox cannot end before somebody has waited for that child."""
    killed = False
    while not killed:
        test_posts_become_warm(server)
        wait_until(lambda: is_full(pool_of(server, "python")))
        before = pool_of(server, "python")
        zygote, = zygotes(server.keeper())
        killed = kill_before_it_tells(zygote, lambda: server.ask("POST", "/v1/runs", REQUEST))
    wait_until(lambda: pool_of(server, "python")["zygotes_dead"] > before["zygotes_dead"])
    wait_until(lambda: is_full(pool_of(server, "python")))
    assert pool_of(server, "python")["zygotes"] == before["zygotes"] + 1


def test_a_zygote_is_replaced_after_its_children(server):
    test_posts_become_warm(server)
    wait_until(lambda: is_full(pool_of(server, "python")))
    before = pool_of(server, "python")
    for _ in range(CHILDREN + 10):
        status, _, body = server.ask("POST", "/v1/runs", {"language": "python", "code": ""})
        assert (status, body["status"]) == (200, "ok")
    wait_until(lambda: is_full(pool_of(server, "python")))
    after = pool_of(server, "python")
    assert after["zygotes"] == before["zygotes"] + 1, (before, after)
    assert after["zygotes_dead"] == before["zygotes_dead"]


def test_the_socket_by_its_option(server):
    wrong = {"PATH": "/usr/bin:/bin", "CELLA_SOCKET": "/nowhere"}
    done = subprocess.run([*USERS[server.user], CELLA, "pool", "--json", "--socket", server.socket], timeout=60,
                          capture_output=True, check=True, env=wrong)
    assert "pools" in json.loads(done.stdout)


@pytest.mark.parametrize("how", ["variable", "option"])
def test_without_a_server_there_is_no_pool(tmp_path, how):
    place = str(tmp_path / "none")
    options = ["--socket", place] if how == "option" else []
    done = subprocess.run([CELLA, "pool", *options], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": "/usr/bin:/bin", "CELLA_SOCKET": "/nowhere" if options else place})
    assert (done.returncode, done.stdout) == (125, "")
    assert f"answers at {place}," in done.stderr and "cella serve" in done.stderr and "--socket" in done.stderr
