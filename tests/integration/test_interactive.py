"""`GET /v1/runs/interactive`: runs by WebSocket, asked by a client of the field (websocket-client)."""
import base64
import json
import os
import struct

import pytest
import websocket
from program import valid
from server import Server, wait_until

ECHO = "import sys\nfor line in sys.stdin: print('got', line, end='', flush=True)\nprint('over')"


@pytest.fixture(scope="module")
def server():
    with Server() as one:
        yield one


def connect(server, **more):
    return websocket.create_connection(
        f"ws://127.0.0.1:{server.port}/v1/runs/interactive", timeout=30,
        suppress_origin=True, **more)


def tell(client, **frame):
    client.send(json.dumps(frame))


def hear(client):
    return json.loads(client.recv())


def hear_all(client):
    """What comes up to the end, and the code of that."""
    frames = []
    while True:
        opcode, data = client.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return frames, struct.unpack("!H", data[:2])[0]
        frames.append(json.loads(data))


def begin(client, **request):
    tell(client, **request)
    started = hear(client)
    assert started["type"] == "started", started
    return started["id"]


def text_of(frames, stream="stdout"):
    return "".join(frame["data"] for frame in frames if frame["type"] == stream)


def test_input_is_answered_while_the_program_runs(server):
    client = connect(server)
    run = begin(client, language="python", code=ECHO)
    for word in "one", "two":
        tell(client, type="stdin", data=word + "\n")
        assert hear(client) == {"type": "stdout", "data": f"got {word}\n", "encoding": "utf-8"}
    tell(client, type="eof")
    frames, code = hear_all(client)
    assert code == 1000
    assert text_of(frames) == "over\n"
    result = valid(frames[-1]["result"])
    assert frames[-1]["type"] == "result"
    assert (result["id"], result["status"]) == (run, "ok")
    assert result["stdout"] == "got one\ngot two\nover\n"


def test_bytes_come_as_binary_messages_and_as_base64(server):
    client = connect(server)
    begin(client, language="bash", code="od -An -tx1 -v")
    client.send_binary(b"\x00\xff\n")
    tell(client, type="stdin", data=base64.b64encode(b"\xfe\x80").decode(), encoding="base64")
    tell(client, type="eof")
    frames, _ = hear_all(client)
    assert text_of(frames).split() == ["00", "ff", "0a", "fe", "80"]


def test_both_streams_and_stdin_of_the_request_come_first(server):
    client = connect(server)
    begin(client, language="bash", code="cat; echo no >&2; exit 3", stdin="first\n")
    tell(client, type="stdin", data="then\n")
    tell(client, type="eof")
    frames, _ = hear_all(client)
    assert (text_of(frames), text_of(frames, "stderr")) == ("first\nthen\n", "no\n")
    assert frames[-1]["result"]["exit_code"] == 3


def test_much_input_waits_for_a_slow_program(server):
    """More than all buffers on the way hold together: nothing is lost, and nobody else waits."""
    size = 6 << 20
    client = connect(server)
    begin(client, language="python", limits={"stdout_bytes": 1000}, code=(
        "import sys, time\ntime.sleep(1)\nn = 0\n"
        "while data := sys.stdin.buffer.read(1 << 16): n += len(data)\nprint(n)"))
    block = bytes(1 << 20)
    for _ in range(size // len(block)):
        client.send_binary(block)
    tell(client, type="eof")
    frames, code = hear_all(client)
    assert (text_of(frames), code) == (f"{size}\n", 1000)


def test_a_large_result_comes_whole(server):
    client = connect(server)
    begin(client, language="python", limits={"stdout_bytes": 8 << 20},
          code="print('x' * (5 << 20))")
    frames, code = hear_all(client)
    assert code == 1000
    assert len(text_of(frames)) == len(frames[-1]["result"]["stdout"]) == (5 << 20) + 1


def test_a_client_that_goes_ends_its_run(server):
    client = connect(server)
    run = begin(client, language="bash", code="sleep 60")
    client.close()
    wait_until(lambda: server.logged(f"{run} is cancelled: its client has gone"))
    wait_until(server.is_idle)


def test_what_a_program_prints_keeps_no_connection(server):
    """The client is told that it is wrong, and does not go: the run ends all the same."""
    client = connect(server)
    run = begin(client, language="bash", limits={"wall_ms": 60000},
                code="while sleep 0.1; do echo there; done")
    client.sock.sendall(raw_frame(0x83, b"{}"))
    wait_until(lambda: server.logged(f"{run} is cancelled: its client has gone"))


@pytest.mark.parametrize("first, problem", [
    ("{", "JSON"),
    ('{"language": "pyhton", "code": "1"}', "pyhton"),
    ('{"language": "bash", "code": "1", "limits": {"wall_ms": -1}}', "limits.wall_ms"),
    (b"\x00", "the first message is no text"),
])
def test_a_request_that_is_refused(server, first, problem):
    client = connect(server)
    client.send(first, websocket.ABNF.OPCODE_BINARY if isinstance(first, bytes)
                else websocket.ABNF.OPCODE_TEXT)
    frames, code = hear_all(client)
    assert code == 1008
    assert [frame["type"] for frame in frames] == ["problem"]
    told = frames[0]["problem"]
    assert problem in told["detail"] + str(told["field"]), told


@pytest.mark.parametrize("frame, problem", [
    ("[]", "object"),
    ("{}", "the frame has no type"),
    ('{"type": "stdout"}', "is none of: stdin, eof, signal, resize"),
    ('{"type": "signal"}', "is the name of no signal"),
    ('{"type": "signal", "signal": "SIGNOTHING"}', "'SIGNOTHING' is the name of no signal"),
    ('{"type": "resize", "rows": 10, "columns": 10}', "the program has no terminal"),
    ('{"type": "resize", "rows": "1", "columns": 10}', "rows must be a number of characters"),
    ('{"type": "stdin"}', "a frame of stdin has no data"),
    ('{"type": "stdin", "data": 1}', "string"),
    ('{"type": "stdin", "data": "a", "encoding": "base64"}', "data is not strict base64"),
    ('{"type": "stdin", "data": "a", "encoding": "latin-1"}', "must be 'utf-8' or 'base64'"),
    ('{"type": "eof", "more": 1}', "more"),
])
def test_a_frame_that_is_wrong_ends_the_run(server, frame, problem):
    client = connect(server)
    run = begin(client, language="bash", code="sleep 60")
    client.send(frame)
    frames, code = hear_all(client)
    assert code == 1008
    assert problem in json.dumps(frames[-1]), frames
    client.close()
    wait_until(lambda: server.logged(f"{run} is cancelled"))


def test_signals(server):
    client = connect(server)
    begin(client, language="python", code=(
        "import os, signal\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'first\\n'))\n"
        "print('there', flush=True)\nwhile True: signal.pause()"))
    assert hear(client)["data"] == "there\n"
    tell(client, type="signal", signal="SIGUSR1")
    assert hear(client)["data"] == "first\n"
    tell(client, type="signal", signal="TERM")
    frames, _ = hear_all(client)
    result = frames[-1]["result"]
    assert (result["status"], result["signal"]) == ("signal", "SIGTERM")


def test_a_signal_before_it_runs_comes_when_it_does(server):
    client = connect(server)
    tell(client, language="bash", code="sleep 60")
    tell(client, type="signal", signal="KILL")
    frames, _ = hear_all(client)
    assert frames[-1]["result"]["signal"] == "SIGKILL"


def hear_until(client, text):
    """What is shown, up to where that stands."""
    shown = ""
    while text not in shown:
        frame = hear(client)
        assert frame["type"] == "stdout", (frame, shown)
        shown += frame["data"]
    return shown


def test_a_terminal(server):
    client = connect(server)
    begin(client, language="bash", terminal={"rows": 33, "columns": 101}, code=(
        "tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all\n"
        "trap 'stty size' WINCH; read -p 'name? ' name; echo \"it is $name\"\n"
        "for i in 1 2 3 4 5 6 7 8 9; do read -t 1 && break; done; echo err >&2; exit 5"))
    shown = hear_until(client, "name? ")
    assert shown.split("\r\n")[:3] == ["/dev/pts/0", "33 101", "all"]
    tell(client, type="stdin", data="bob\n")
    assert "bob\r\nit is bob\r\n" in hear_until(client, "it is bob\r\n")  # with its echo
    tell(client, type="resize", rows=20, columns=60)
    hear_until(client, "20 60\r\n")
    tell(client, type="stdin", data="\n")
    frames, code = hear_all(client)
    result = valid(frames[-1]["result"])
    assert (result["status"], result["exit_code"], code) == ("exit", 5, 1000)
    assert result["stderr"] == "" and result["stdout"].endswith("err\r\n")


def test_keys_of_a_terminal(server):
    client = connect(server)
    begin(client, language="bash", terminal={}, code="stty size; sleep 60; echo never")
    hear_until(client, "24 80")
    tell(client, type="stdin", data="\x03")
    frames, _ = hear_all(client)
    result = frames[-1]["result"]
    assert (result["status"], result["signal"]) == ("signal", "SIGINT"), result
    assert "^C" in result["stdout"] and "never" not in result["stdout"]


def test_the_end_of_input_of_a_terminal(server):
    client = connect(server)
    begin(client, language="bash", terminal={}, code="cat; echo over")
    tell(client, type="stdin", data="one\n")
    hear_until(client, "one\r\none\r\n")
    tell(client, type="eof")
    frames, _ = hear_all(client)
    assert text_of(frames).endswith("over\r\n")


def test_much_is_shown_on_a_terminal(server):
    """More than its buffers hold, up to the end, which comes with the program's."""
    client = connect(server)
    begin(client, language="python", terminal={}, limits={"stdout_bytes": 4 << 20}, code=(
        "import sys\nfor i in range(20000): print(i)\nsys.stdout.flush()"))
    frames, _ = hear_all(client)
    assert frames[-1]["result"]["stdout"] == "".join(f"{i}\r\n" for i in range(20000))


def test_a_program_that_leaves_its_terminal(server):
    """Nobody has it open: that costs nothing, and what is behind still runs."""
    client = connect(server)
    begin(client, language="python", terminal={}, code=(
        "import os, time, resource\nfor fd in 0, 1, 2: os.close(fd)\ntime.sleep(1)\n"
        "tty = open('/dev/tty', 'w')\ntty.write('back'); tty.close()"))
    frames, _ = hear_all(client)
    result = frames[-1]["result"]
    assert (result["status"], result["stdout"]) == ("ok", "back"), result
    assert result["usage"]["user_ms"] + result["usage"]["system_ms"] < 500


@pytest.mark.parametrize("name, number, argument", [
    ("TIOCSTI", 0x5412, b"x"), ("TIOCLINUX", 0x541C, b"x"), ("TIOCSETD", 0x5423, bytes(4))])
def test_what_a_terminal_does_for_nobody_inside(server, name, number, argument):
    """To type what its reader then executes is what other sandboxes let out of them; and another
    line discipline is a module of the kernel's, which whoever asks for it has loaded."""
    client = connect(server)
    begin(client, language="python", terminal={}, code=(
        f"import fcntl\ntry: fcntl.ioctl(0, {number}, {argument!r})\n"
        "except OSError as e: print(e.errno)\nelse: print('done')"))
    frames, _ = hear_all(client)
    assert text_of(frames) in ("1\r\n", "38\r\n"), name


def test_input_behind_its_end(server):
    client = connect(server)
    begin(client, language="bash", code="sleep 60")
    tell(client, type="eof")
    tell(client, type="stdin", data="more")
    frames, code = hear_all(client)
    assert (frames[-1]["problem"]["detail"], code) == ("standard input comes behind its end", 1008)


def test_text_must_be_utf_8(server):
    client = connect(server)
    client.send(b"\xff\xfe", websocket.ABNF.OPCODE_TEXT)
    assert hear_all(client) == ([], 1007)


def test_a_message_that_is_too_large(server):
    client = connect(server)
    begin(client, language="bash", code="sleep 60")
    client.send_binary(bytes((1 << 20) + 1))
    assert hear_all(client)[1] == 1009


def raw_frame(first, payload, masked=True):
    mask = os.urandom(4) if masked else b""
    body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
    return bytes([first, (128 if masked else 0) | len(payload)]) + mask + body


@pytest.mark.parametrize("frame", [
    raw_frame(0x81, b"{}", masked=False),  # every frame of a client is masked
    raw_frame(0xF1, b"{}"),  # nobody has agreed on what these bits mean
    raw_frame(0x83, b"{}"),  # nor on this opcode
    raw_frame(0x80, b"{}"),  # goes on with nothing
])
def test_what_is_no_websocket_ends_it(server, frame):
    client = connect(server)
    client.sock.sendall(frame)
    frames, code = hear_all(client)
    assert (frames, code) == ([], 1002)


def test_a_ping_in_parts(server):
    client = connect(server)
    client.sock.sendall(raw_frame(0x09, b"a"))
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        hear_all(client)


def test_messages_in_fragments_with_pings_between(server):
    client = connect(server)
    request = json.dumps({"language": "bash", "code": "echo whole"}).encode()
    parts = [request[i:i + 7] for i in range(0, len(request), 7)]
    for i, part in enumerate(parts):
        first = (0x01 if i == 0 else 0) | (0x80 if i == len(parts) - 1 else 0)
        client.sock.sendall(raw_frame(first, part) + raw_frame(0x89, b"there?"))
    frames, code = hear_all_with_pongs(client, len(parts))
    assert (text_of(frames), code) == ("whole\n", 1000)


def hear_all_with_pongs(client, count):
    frames, pongs = [], 0
    while True:
        opcode, data = client.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_PONG:
            assert data == b"there?"
            pongs += 1
        elif opcode == websocket.ABNF.OPCODE_CLOSE:
            assert pongs == count
            return frames, struct.unpack("!H", data[:2])[0]
        else:
            frames.append(json.loads(data))


def test_a_flood_of_pings_by_one_that_does_not_read(server):
    """What is answered piles up nowhere but with the client; the server goes on."""
    client = connect(server)
    client.sock.settimeout(1)
    pings = raw_frame(0x89, bytes(125)) * 1000
    before = server.memory()
    with pytest.raises(TimeoutError):
        for _ in range(400):
            client.sock.sendall(pings)
    assert server.memory() - before < 16 << 20
    assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
    client.sock.close()


HEADERS = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}


@pytest.mark.parametrize("change, status, text", [
    ({"Upgrade": None}, 426, "is for WebSocket"),
    ({"Connection": "keep-alive"}, 426, "is for WebSocket"),
    ({"Upgrade": "h2c"}, 426, "is for WebSocket"),
    ({"Sec-WebSocket-Version": "8"}, 426, "is not 13"),
    ({"Sec-WebSocket-Key": None}, 400, "16 bytes in base64"),
    ({"Sec-WebSocket-Key": "AAAA"}, 400, "16 bytes in base64"),
    ({"Origin": "http://elsewhere.example"}, 403, "may not use this server"),
    ({"Host": "elsewhere.example"}, 403, "is not this host"),
])
def test_what_asks_for_it_wrongly(server, change, status, text):
    headers = {name: value for name, value in {**HEADERS, **change}.items() if value is not None}
    answer = server.problem("GET", "/v1/runs/interactive", headers=headers)
    assert answer[0] == status
    assert text in answer[1]


def test_only_get_asks_for_it(server):
    status, headers, _ = server.ask("HEAD", "/v1/runs/interactive", headers=HEADERS)
    assert (status, headers["Upgrade"]) == (426, "websocket")


def test_what_accepts_it_has_no_body(server):
    client = connect(server)
    assert client.getstatus() == 101
    assert not {"content-type", "content-length"} & set(client.getheaders())
    client.close()


def test_what_comes_with_the_head_is_not_lost(server):
    """The first message in the same packet as the head."""
    head = "GET /v1/runs/interactive HTTP/1.1\r\nHost: localhost\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in HEADERS.items()) + "\r\n"
    message = json.dumps({"language": "bash", "code": "echo quick"}).encode()
    with server.raw() as raw:
        raw.sendall(head.encode() + raw_frame(0x81, message))
        data = b""
        while b"result" not in data:
            data += raw.recv(65536)
    assert data.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" not in data  # the RFC's example has another key
    assert b"quick" in data


def test_the_key_of_the_rfc(server):
    with server.raw() as raw:
        raw.sendall(b"GET /v1/runs/interactive HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        data = raw.recv(65536)
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in data


def test_a_server_that_ends_lets_it_end():
    with Server() as server:
        client = connect(server)
        begin(client, language="bash", code="read line; echo $line")
        connect(server)  # asks for nothing, and is not waited for
        server.process.terminate()
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        tell(client, type="stdin", data="bye\n")
        frames, code = hear_all(client)
        assert (text_of(frames), code) == ("bye\n", 1000)
        assert server.process.wait(30) == 0


def test_a_server_that_ends_begins_nothing():
    with Server() as server:
        client, late = connect(server), connect(server)
        begin(client, language="bash", code="read line")
        server.process.terminate()
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        tell(late, language="bash", code="sleep 60")
        assert hear(late)["problem"]["detail"] == "the server is about to end"
        tell(client, type="eof")
        assert hear_all(client)[1] == 1000
        assert server.process.wait(30) == 0
