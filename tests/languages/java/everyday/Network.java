package com.example.everyday;

import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.file.*;

public class Network {
    public static void main(String[] args) throws Exception {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = ("path " + exchange.getRequestURI()).getBytes("UTF-8");
            exchange.sendResponseHeaders(200, body.length);
            try (var out = exchange.getResponseBody()) { out.write(body); }
        });
        server.start();
        var uri = URI.create("http://localhost:" + server.getAddress().getPort() + "/x");
        var answer = HttpClient.newHttpClient().send(
            HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body());
        server.stop(0);
        var process = new ProcessBuilder("tr", "a-z", "A-Z").start();
        try (var in = process.getOutputStream()) { in.write("through tr\n".getBytes()); }
        System.out.print(new String(process.getInputStream().readAllBytes()));
        System.out.println(process.waitFor());
        Path file = Files.createTempFile("ä", ".txt");
        Files.writeString(file, "größe");
        System.out.println(Files.size(file) + " " + System.getProperty("user.dir")
            + " " + System.getProperty("file.encoding") + " " + file.startsWith("/tmp"));
    }
}
// Output:
// 200 path /x
// THROUGH TR
// 0
// 7 /workspace UTF-8 true
