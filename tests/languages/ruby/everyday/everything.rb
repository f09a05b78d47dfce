require "digest"
require "json"
require "open3"
require "set"
require "socket"
require "tempfile"
require "yaml"

puts 5.times.map { |i| Thread.new { i * i } }.sum(&:value)
reader, writer = IO.pipe
pid = fork { writer.puts "from a child" }
Process.wait(pid)
puts reader.gets
server = TCPServer.new("127.0.0.1", 0)
Thread.new { server.accept.tap { |client| client.puts "by a socket" }.close }
puts TCPSocket.new("localhost", server.addr[1]).gets
puts Open3.capture2("tr a-z A-Z", stdin_data: "through tr")[0]
puts JSON.parse('{"ü": [1]}').to_yaml.lines.last.strip, Digest::SHA256.hexdigest("x")[0, 8]
Point = Struct.new(:x, :y)
case {name: "é", point: Point.new(1, 2)}
in {name: String => name, point: Point[x, y]}
  puts "#{name} #{x + y} #{Set[1, 1].size}"
end
# Output:
# 30
# from a child
# by a socket
# THROUGH TR
# - 1
# 2d711642
# é 3 1
