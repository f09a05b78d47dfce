"""Ruby, PHP and R, cold and warm: the same but for the time."""
import pytest
from client import assert_random, assert_same

RUBY = {
    "line": "puts 6 * 7",
    "arguments": ("p ARGV, $0, __FILE__, $PROGRAM_NAME", {"args": ["a b", "", "ä€"]}),
    "environment": ("p ENV.to_h.sort, ENV['A']\nsystem('echo $A')", {"env": {"A": "1 2"}}),
    "input": ("while line = gets\n  p line\nend", {"stdin": "one\ntwo\nthree"}),
    "uncaught": "def f(x)\n  raise ArgumentError, 'no'\nend\nf(1)",
    "cause": "begin\n  Integer('x')\nrescue => e\n  raise 'second'\nend",
    "misspelt": "[].frist",
    "syntax": "def f(\n",
    "exit": "exit 3",
    "abort": "abort 'gone'",
    "exit!": "print 'lost'\nexit! 4",
    "at_exit": "at_exit { puts 'second' }\nat_exit { puts 'first' }\nputs 'end'",
    "signal": "$stdout.puts 'before'\n$stdout.flush\nProcess.kill(:TERM, $$)",
    "interrupt": "raise Interrupt",
    "recursion": "def f(n) = f(n + 1)\nbegin\n  f(0)\nrescue SystemStackError => e\n  puts e.message\nend",
    "threads": "p (1..4).map { |i| Thread.new { i * i } }.map(&:value), Thread.list.size",
    "fork": "pid = fork { puts 'child'; exit 5 }\nProcess.wait(pid)\np $?.exitstatus",
    "subprocess": "p `echo hello`, $?.exitstatus",
    "require": ("require_relative 'lib/helper'\np Helper::X, $LOADED_FEATURES.last",
                {"files": [{"path": "lib/helper.rb", "content": "module Helper\n  X = 1\nend"}]}),
    "missing": "require 'no_such_thing'",
    "json": "require 'json'\nputs JSON.generate({a: [1, nil, 'ä']})",
    "encoding": "p Encoding.default_external, Encoding.default_internal, __ENCODING__, 'ä€'.bytes.size",
    "ids": "p Process.uid, Process.gid, Dir.pwd, File.umask, Process.getpgrp == $$, Process.getsid == $$",
    "descriptors": "p Dir.children('/proc/self/fd').map(&:to_i).select { |n| n < 3 }.sort",
    "unflushed": "$stdout.write 'no newline'",
    "data": "p DATA.read\n__END__\nhere",
    "caller": "p caller, __method__, binding.local_variables",
    "warn": "warn 'look'\n$stderr.puts 'err'",
    "gc": "p GC.stress, GC.disable, ObjectSpace.respond_to?(:each_object)",
    "finalizer": "ObjectSpace.define_finalizer(Object.new, proc { puts 'done' })",
    "collect": ("File.write('out.txt', 'x')\n$f = File.open('open.txt', 'w')\n$f.write('kept')", {"collect": ["*.txt"]}),
}

R = {
    "line": "cat(6 * 7, '\\n')",
    "print": "6 * 7\nx <- c(a=1, b=2)\nx\ninvisible(3)\nprint(x)",
    "arguments": ("print(commandArgs(TRUE))\nprint(commandArgs()[-1])", {"args": ["a b", "", "-e", "ä€"]}),
    "no arguments": "print(commandArgs(TRUE))\nprint(commandArgs()[-1])",
    "environment": ("print(Sys.getenv('A'))\nprint(sort(names(Sys.getenv())))\nsystem('echo $A')",
                    {"env": {"A": "1 2"}}),
    "locale": "print(Sys.getlocale('LC_CTYPE'))\nprint(l10n_info()[1:3])\ncat(nchar('ä€'), toupper('ä'), '\\n')",
    "input": ("print(readLines(file('stdin')))", {"stdin": "one\ntwo\nthree\n"}),
    "script is not input": ("x <- readLines(stdin(), n = 1)\nprint('after')\nprint(x)", {"stdin": "one\n"}),
    "readline": ("x <- readline('name? ')\nprint(x)", {"stdin": "one\n"}),
    "uncaught": "f <- function(x) stop('no: ', x)\nf(1)\ncat('never\\n')",
    "uncaught in a call": "log(-1)\nlog('a')",
    "warning": "warning('look')\nas.integer('x')\ncat('on\\n')",
    "warnings": "for (i in 1:3) warning('w', i)\nmessage('to stderr')",
    "caught": "r <- tryCatch(stop('e'), error = function(e) conditionMessage(e), finally = cat('finally\\n'))\nprint(r)",
    "traceback": "options(error = quote({ traceback(2); q(status = 4) }))\nf <- function() g()\ng <- function() stop('deep')\nf()",
    "syntax": "f <- function( {\n",
    "syntax in the middle": "cat('ran\\n')\nx <- (1 + \n}\ncat('never\\n')",
    "exit": "quit(status = 3)",
    "quietly": "q('no', 5, FALSE)",
    "last": ".Last <- function() cat('last\\n')\ncat('body\\n')",
    "finalizer": "reg.finalizer(environment(), function(e) cat('done\\n'), onexit = TRUE)\ninvisible(0)",
    "on.exit": "f <- function() { on.exit(cat('left\\n')); stop('x') }\ntry(f(), silent = TRUE)",
    "recursion": "f <- function(n) f(n + 1)\nr <- tryCatch(f(0), error = function(e) 'too deep')\nprint(r)",
    "signal": "cat('before\\n')\ntools::pskill(Sys.getpid(), 15)\nSys.sleep(5)",
    "seeded": "set.seed(1)\nprint(runif(3))\nprint(sample(10))\nprint(rnorm(2))",
    "unseeded": "print(exists('.Random.seed'))\nx <- runif(1)\nprint(exists('.Random.seed'))",
    "objects": "print(ls(all.names = TRUE))\nprint(search())\nprint(loadedNamespaces())",
    "options": "o <- options()\nprint(sort(names(o)))\nprint(o$warn)\nprint(o$digits)\nprint(interactive())",
    "source": ("source('lib/helper.R')\nprint(x)", {"files": [{"path": "lib/helper.R", "content": "x <- 'from there'\n"}]}),
    "library": "library(stats4)\nsuppressWarnings(library(grid))\nprint(search()[2:3])",
    "missing": "library(nosuchthing)",
    "data.frame": "d <- data.frame(a = 1:3, b = letters[1:3])\nprint(d)\nsummary(d)\nstr(d)\naggregate(a ~ b, d, sum)",
    "matrix": "m <- matrix(c(2, 1, 1, 3), 2)\nprint(solve(m))\nprint(m %*% m)\nprint(eigen(m)$values)",
    "large matrix": "set.seed(2)\nm <- matrix(rnorm(40000), 200)\ncat(format(sum(m %*% m), digits = 8), '\\n')",
    "model": "print(lm(mpg ~ wt, data = mtcars))",
    "regexp": "print(regmatches('a1b22', gregexpr('[0-9]+', 'a1b22')))\nprint(sub('(?<x>a)', 'b', 'aa', perl = TRUE))",
    "time": "print(as.POSIXct(0, origin = '1970-01-01'))\nprint(as.Date('2024-02-29') + 1)\nprint(proc.time()[[3]] < 60)",
    "subprocess": "print(system('echo hello', intern = TRUE))\nprint(system('exit 3'))\nsystem2('echo', 'again')",
    "fork": "r <- parallel::mclapply(1:4, function(i) i^2, mc.cores = 2)\nprint(unlist(r))",
    "tempfile": "f <- tempfile()\nwriteLines('x', f)\nprint(readLines(f))\nprint(dirname(f) == tempdir())\nprint(file.exists(tempdir()))",
    "tempdir is of the environment": "print(Sys.getenv('R_SESSION_TMPDIR') == tempdir())\ncat(nchar(basename(tempdir())), '\\n')",
    "collect": ("writeLines('x', 'out.txt')\ncat('kept', file = 'open.txt')", {"collect": ["*.txt"]}),
    "plot": ("pdf('out.pdf')\nplot(1:3)\ninvisible(dev.off())\nprint(file.size('out.pdf') > 1000)", {}),
    "ids": "print(getwd())\nprint(Sys.umask())\nprint(Sys.info()[['user']])",
    "unfinished": "cat('no newline')",
    "unicode": "größe <- function() 'ü€😀'\ncat(größe(), '\\n')\nprint(rev(utf8ToInt('ä€')))",
    "connections": "print(nrow(showConnections()))\nprint(sort(as.integer(list.files('/proc/self/fd')))[1:3])",
    "gc": "invisible(gc())\nprint(is.numeric(gc()[1, 1]))\nprint(mem.maxVSize() > 0)",
}

PHP = {
    "line": "<?php echo 6 * 7, \"\\n\";",
    "arguments": ("<?php var_dump($argv, $argc, $_SERVER['argv'], __FILE__, $_SERVER['SCRIPT_NAME']);",
                  {"args": ["a b", "", "ä€"]}),
    "environment": ("<?php var_dump(getenv('A'), getenv('HOME'));", {"env": {"A": "1 2"}}),
    "input": ("<?php while (($l = fgets(STDIN)) !== false) var_dump($l);", {"stdin": "one\ntwo"}),
    "uncaught": "<?php function f($x) { throw new RuntimeException('no'); }\nf(1);",
    "error": "<?php undefined_function();",
    "warning": "<?php echo $undefined; echo 1 / 1;",
    "syntax": "<?php function f( {",
    "exit": "<?php exit(3);",
    "exit text": "<?php exit('gone');",
    "shutdown": "<?php register_shutdown_function(function () { echo 'last'; });\necho 'end';",
    "destructor": "<?php class C { function __destruct() { echo 'gone'; } }\n$c = new C;",
    "include": ("<?php require 'lib/helper.php'; echo X, __DIR__, count(get_included_files());",
                {"files": [{"path": "lib/helper.php", "content": "<?php const X = 1;"}]}),
    "json": "<?php echo json_encode(['a' => [1, null, 'ä']]);",
    "ids": "<?php var_dump(posix_getuid(), getcwd(), umask());",
    "output": "<?php echo str_repeat('x', 200000);",
    "collect": ("<?php file_put_contents('out.txt', 'x');", {"collect": ["*.txt"]}),
    "memory": "<?php ini_set('memory_limit', '8M'); str_repeat('x', 100000000);",
}

CASES = [("ruby", name, entry) for name, entry in RUBY.items()] + \
        [("php", name, entry) for name, entry in PHP.items()] + \
        [("r", name, entry) for name, entry in R.items()]
# Each prints words that must differ from run to run.
RANDOM = {
    "ruby": "require 'securerandom'\nrequire 'tempfile'\nputs rand, Random.rand, SecureRandom.hex(8), Random.new_seed, "
            "[*1..99].shuffle.join('-'), Tempfile.create('x').path",
    "php": "<?php foreach ([mt_rand(), random_int(0, PHP_INT_MAX), bin2hex(random_bytes(8)), lcg_value(), "
           "uniqid('', true), implode('-', (function () { $a = range(1, 99); shuffle($a); return $a; })()), "
           "tempnam('/tmp', 'x')] as $v) echo $v, \"\\n\";",
    "r": "cat(runif(1), rnorm(1), sample(1e9, 1), paste(sample(99), collapse = '-'), tempdir(), tempfile(), "
         "basename(tempfile()), sep = '\\n')",
}


@pytest.mark.parametrize(("language", "name", "entry"), CASES,
                         ids=[f"{language}-{name}" for language, name, _ in CASES])
def test_the_same(cold, warm, language, name, entry):
    assert_same(cold, warm, language, entry)


@pytest.mark.parametrize("language", RANDOM)
def test_entropy(warm, language):
    assert_random(warm, language, RANDOM[language])
