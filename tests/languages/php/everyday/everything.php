<?php
declare(strict_types=1);

enum Suit: string { case Hearts = "♥"; }
final class Point { public function __construct(public readonly int $x, public int $y = 2) {} }

$point = new Point(x: 1);
echo match (true) { $point->x > 0 => "positive", default => "other" }, " ", Suit::Hearts->value, "\n";
echo array_sum(array_map(fn($n) => $n ** 2, range(0, 4))), " ", json_encode(["ü" => [1]]), "\n";
$server = stream_socket_server("tcp://127.0.0.1:0");
$client = stream_socket_client("tcp://" . stream_socket_get_name($server, false));
fwrite(stream_socket_accept($server), "by a socket\n");
echo fgets($client), shell_exec("echo from a shell"), hash("crc32b", "x"), "\n";
echo preg_replace('/\p{L}+/u', "#", "größe 1"), " ", (new DateTime("2024-02-29"))->format("D"), "\n";
// Output:
// positive ♥
// 30 {"\u00fc":[1]}
// by a socket
// from a shell
// 8cdc1683
// # 1 Thu
