const http = require("node:http");
const net = require("node:net");

const server = http.createServer((request, response) => response.end("path " + request.url));
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  console.log(await (await fetch(`http://127.0.0.1:${port}/é`)).text());
  http.get({ port, host: "localhost", path: "/x", agent: false }, response => {
    response.on("data", data => console.log(String(data)));
    response.on("end", () => server.close());
  });
  server.closeIdleConnections();
});
const echo = net.createServer(socket => socket.pipe(socket)).listen("/tmp/socket", () => {
  const client = net.connect("/tmp/socket", () => client.end("by a socket of the file system"));
  client.on("data", data => console.log(String(data))).on("close", () => echo.close());
});
// Output has:
// path /%C3%A9
// path /x
// by a socket of the file system
