<?php
// What programs do, for the child that shows which pages they need: see php.c.
function f(int $n): array
{
    return $n > 0 ? [...f($n - 1), "k$n" => $n / 2] : [];
}

final class C
{
    public function __construct(private string $name = "x")
    {
    }

    public function __toString(): string
    {
        return sprintf("<%s %.2f>", strtoupper($this->name), 1.5);
    }
}

$table = array_map(fn ($v) => $v * 2, f(9));
ksort($table);
echo json_encode($table), new C(), "\n", str_replace("a", "b", implode(",", array_keys($table)));
preg_match('/b(\d)/', "a1b2", $found);
foreach (explode(",", "a,b") as $i => $word) {
    printf("%d %s %s\n", $i, $word, ucfirst($word));
}
try {
    intdiv(1, 0);
} catch (DivisionByZeroError $e) {
    error_log($e->getMessage());
}
exit(1912860203); // which php.c looks for
