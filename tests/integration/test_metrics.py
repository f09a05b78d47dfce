"""What Prometheus reads: its form, by promtool too, and that it counts what happened."""
import re
import subprocess
import time

import pytest
from debian import debian_program
from server import Server, wait_until

SLEEP = {"language": "bash", "code": "sleep 60"}
OPEN = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"}


def samples_of(text):
    """The metrics by name, after a look at the form: each has its help and type before its samples,
    no name comes twice, counters end in _total, buckets sum up to the count."""
    metrics, types, current = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in types and len(line.split()) > 3
        elif line.startswith("# TYPE "):
            assert line.split()[2] == current and current not in types
            types[current] = line.split()[3]
        else:
            name, labels, value = re.fullmatch(r'([a-z_]+)((?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+)', line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if types[current] == "histogram" else name
            assert base == current and name + labels not in metrics
            metrics[name + labels] = float(value)
    assert text.endswith("\n")
    for name, type_ in types.items():
        assert type_ in ("gauge", "counter", "histogram")
        assert name.endswith("_total") == (type_ == "counter")
        for sample, count in list(metrics.items()) if type_ == "histogram" else []:
            labels = sample.removeprefix(name + "_count")
            if labels in ("", sample) or labels.startswith("{"):
                start = f"{name}_bucket{{" + (labels[1:-1] + "," if labels.startswith("{") else "le=")
                buckets = [value for other, value in metrics.items() if other.startswith(start)]
                assert labels == sample or (buckets == sorted(buckets) and buckets[-1] == count), sample
    return metrics


def test_metrics():
    with Server("--pool-memory", "256m") as server:
        status, headers, text = server.ask("GET", "/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        first = samples_of(text.decode())
        assert (first["cella_ready"], first["cella_queue_duration_seconds_count"]) == (1, 0)
        assert abs(first["process_start_time_seconds"] - time.time()) < 60
        wait_until(lambda: server.run(language="python", code="1")[2]["start"] == "warm", 30)
        server.run(language="bash", code="exit 3")
        server.run(language="bash", code="sleep 9", limits={"wall_ms": 300})
        assert server.ask("GET", "/nothing")[0] == 404
        status, headers, _ = server.ask("POST", "/v1/runs", SLEEP, {"Prefer": "respond-async"})
        assert status == 202
        metrics = samples_of(server.ask("GET", "/metrics")[2].decode())
        assert metrics["cella_jobs"] == 1 and metrics["cella_connections"] >= 1
        assert metrics['cella_runs_total{status="ok",start="warm"}'] == 1
        assert metrics['cella_runs_total{status="ok",start="cold"}'] >= 1
        assert metrics['cella_runs_total{status="exit",start="cold"}'] == 1
        assert metrics['cella_runs_total{status="wall_time",start="cold"}'] == 1
        ended = sum(value for name, value in metrics.items() if name.startswith("cella_runs_total"))
        for verdict in ("ok", "exit", "wall_time"):
            of_verdict = sum(metrics[f'cella_runs_total{{status="{verdict}",start="{start}"}}']
                             for start in ("cold", "warm"))
            assert metrics[f'cella_run_duration_seconds_count{{status="{verdict}"}}'] == of_verdict
        assert metrics['cella_run_duration_seconds_sum{status="wall_time"}'] >= 0.3
        assert metrics["cella_queue_duration_seconds_count"] - 1 == metrics["cella_run_program_seconds_count"] == ended
        assert metrics["cella_run_program_seconds_sum"] >= 0.3
        assert sum(metrics[f'cella_run_setup_seconds_count{{start="{start}"}}'] for start in ("cold", "warm")) == ended
        assert metrics["cella_run_compile_seconds_count"] == 0
        assert metrics['cella_limits_hit_total{limit="wall_time"}'] == 1
        assert metrics["cella_http_request_duration_seconds_count"] >= ended
        assert metrics['cella_pool_taken_total{language="python",policy="default"}'] >= 1
        assert metrics['cella_http_responses_total{code="404"}'] == 1
        assert metrics['cella_http_responses_total{code="200"}'] >= ended
        assert metrics['cella_pool_target{language="python",policy="default"}'] > 0
        assert server.ask("DELETE", headers["Location"])[0] == 202


def test_a_compiled_program():
    with Server() as server:
        assert server.run(language="c", code="int main(void) { return 0; }")[2]["status"] == "ok"
        metrics = samples_of(server.ask("GET", "/metrics")[2].decode())
        assert metrics["cella_run_compile_seconds_count"] == metrics["cella_run_program_seconds_count"] == 1
        assert metrics["cella_run_compile_seconds_sum"] > metrics["cella_run_program_seconds_sum"] > 0


def test_open_metrics():
    """The same by its rules, as far as they differ."""
    with Server() as server:
        server.run(language="bash", code=":")
        status, headers, text = server.ask("GET", "/metrics", headers=OPEN)
        text = text.decode()
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert status == 200 and text.endswith("\n# EOF\n") and text.count("# EOF") == 1
        assert "# TYPE cella_runs counter\n" in text and '\ncella_runs_total{status="ok"' in text
        assert not re.search(r"^# TYPE \S+_total ", text, re.M)
        assert all("." in bound or bound == "+Inf" for bound in re.findall(r'le="([^"]*)"', text))
        plain = server.ask("GET", "/metrics", headers={"Accept": "text/plain"})[2].decode()
        assert "# EOF" not in plain and "# TYPE cella_runs_total counter\n" in plain


@pytest.mark.programs
def test_promtool_has_nothing_to_say():
    promtool = debian_program("prometheus", "usr/bin/promtool")
    with Server("--pool-memory", "256m") as server:
        wait_until(lambda: server.run(language="python", code="1")[2]["start"] == "warm", 30)
        server.run(language="c", code="int main(void) { return 3; }")
        done = subprocess.run([promtool, "check", "metrics"], input=server.ask("GET", "/metrics")[2],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert (done.returncode, done.stdout) == (0, b"")
        bad = subprocess.run([promtool, "check", "metrics"], input=b"# TYPE x counter\nx 1\n",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert bad.returncode != 0
