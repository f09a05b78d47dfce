import asyncio
import socket
import sys


async def echo(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("localhost", port)
    writer.write(b"hello\n")
    print(await reader.read())
    writer.close()
    server.close()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input()[::-1])",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print((await child.communicate(b"abc\n"))[0], child.returncode)
    shell = await asyncio.create_subprocess_shell("exit 5")
    print(await shell.wait())
    print(await asyncio.gather(*(asyncio.sleep(0.01, i) for i in range(3))))
    print(await asyncio.to_thread(sum, [1, 2]))
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except asyncio.TimeoutError:
        print("timed out")
    one, two = socket.socketpair()
    one.send(b"pair")
    print(two.recv(10))


asyncio.run(main())
# Output:
# b'HELLO\n'
# b'cba\n' 0
# 5
# [0, 1, 2]
# 3
# timed out
# b'pair'
