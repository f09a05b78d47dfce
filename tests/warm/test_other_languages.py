"""Ruby and PHP, cold and warm: the same but for the time."""
import pytest

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
        [("php", name, entry) for name, entry in PHP.items()]
COMPARED = ("status", "exit_code", "signal", "stdout", "stderr", "files", "limit", "limits_hit",
            "diagnosis", "refused_calls", "protections", "waived", "mechanisms", "error")

# Each prints words that must differ from run to run.
RANDOM = {
    "ruby": "require 'securerandom'\nrequire 'tempfile'\nputs rand, Random.rand, SecureRandom.hex(8), Random.new_seed, "
            "[*1..99].shuffle.join('-'), Tempfile.create('x').path",
    "php": "<?php foreach ([mt_rand(), random_int(0, PHP_INT_MAX), bin2hex(random_bytes(8)), lcg_value(), "
           "uniqid('', true), implode('-', (function () { $a = range(1, 99); shuffle($a); return $a; })()), "
           "tempnam('/tmp', 'x')] as $v) echo $v, \"\\n\";",
}


@pytest.mark.parametrize(("language", "name", "entry"), CASES,
                         ids=[f"{language}-{name}" for language, name, _ in CASES])
def test_the_same(cold, warm, language, name, entry):
    code, fields = entry if isinstance(entry, tuple) else (entry, {})
    expected = cold.run(language, code=code, **fields)
    found = warm.run(language, code=code, **fields)
    for key in COMPARED:
        assert found[key] == expected[key], key


@pytest.mark.parametrize("language", RANDOM)
def test_entropy(warm, language):
    runs = [warm.run(language, code=RANDOM[language])["stdout"].split() for _ in range(12)]
    assert len({len(run) for run in runs}) == 1
    for values in zip(*runs):
        assert len(set(values)) == len(values), values
