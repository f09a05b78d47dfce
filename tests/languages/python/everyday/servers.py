import http.server
import threading
import urllib.request
import xmlrpc.client
import xmlrpc.server

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *_: None
threading.Thread(target=server.serve_forever, daemon=True).start()
with open("page.txt", "w") as page:
    page.write("a page")
print(urllib.request.urlopen(f"http://localhost:{server.server_port}/page.txt").read())
calls = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
calls.register_function(lambda a, b: a + b, "add")
threading.Thread(target=calls.serve_forever, daemon=True).start()
print(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{calls.server_address[1]}").add(2, 3))
# Output:
# b'a page'
# 5
