<?php
require "sub/helper.php";

$args = array_slice($argv, 1);
$mode = array_shift($args);
switch ($mode) {
    case "ordinary":
        echo "hello\n", implode("|", $args), "\n";
        readfile("data/in.txt");
        echo größe(), "\n";
        fpassthru(STDIN);
        exit(3);
    case "raise":
        throw new RuntimeException("boom é");
    case "sleep":
        echo "before\n";
        sleep(60);
        break;
    case "memory":
        $kept = [];
        while (true) $kept[] = str_repeat("x", 1 << 20);
    default:
        while (true) echo str_repeat("flood", 100), "\n";
}
