"""The commands for whole studies: projects, names, progress, failures, signals, and the report."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling import call

from idescent import cli
from idescent.cli import studies
from idescent.cli.follow import Follower, duration
from idescent.cli.listing import KINDS
from idescent.config import PRODUCTS
from idescent.study import registry

IDESCENT = [sys.executable, "-m", "idescent"]


@pytest.fixture
def project(tmp_path):
    """A new project."""
    assert call("init", "mine", cwd=tmp_path).returncode == 0
    return tmp_path / "mine"


@pytest.fixture
def endless(project):
    """A project whose study does not end."""
    text = (project / "my_objective.py").read_text(encoding="utf-8")
    wait = "        import pathlib, time\n        pathlib.Path('started').touch()\n        time.sleep(1000)\n"
    (project / "my_objective.py").write_text(
        text.replace("        return np.as", f"{wait}        return np.as"), encoding="utf-8"
    )
    return project


def one_line(done, *parts):
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert all(part in done.stderr for part in parts), done.stderr


@pytest.mark.workflow
def test_the_study_of_a_new_project_runs_at_once_and_its_report_is_found(project):
    done = call("run", "--cores", "2", cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "first: 14 of 14 jobs"
    assert "Study first: 4 cells, 8 solutions" in done.stdout
    assert "my_optimizer:MyAdam half-step" in done.stdout
    assert "not converged: none" in done.stdout
    page = call("report", "--no-browser", cwd=project)
    assert (page.returncode, page.stdout, page.stderr) == (0, "results/first/report.html\n", "")
    assert (project / page.stdout.strip()).stat().st_size > 1e5
    again = call("run", cwd=project)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert again.stderr == "results/first: every result is up to date\n"
    checked = call("check", "my_objective:Valley", cwd=project)
    assert checked.returncode == 0, checked.stdout
    checked = call("check", "my_optimizer:MyAdam", cwd=project)
    assert checked.returncode == 0, checked.stdout


def test_a_project_is_created_in_an_empty_folder_only(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    done = call("init", "empty", cwd=tmp_path)
    names = [line for line in done.stdout.splitlines() if not line.startswith("next: ")]
    assert sorted(names) == sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "empty").rglob("*.*"))
    one_line(call("init", "taken", cwd=tmp_path), "taken is not allowed: it is not empty")
    one_line(call("init", "file", cwd=tmp_path), "file is not allowed: it is a file")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["mine"]


def test_a_study_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    one_line(call("run", cwd=tmp_path), "no config.yaml", "paper, digits")
    one_line(call("run", "smok", cwd=tmp_path), "must be one of paper, digits", "did you mean smoke?")
    (tmp_path / "config.yaml").write_text("objectives: {}\n", encoding="utf-8")
    one_line(call("run", cwd=tmp_path), "config.yaml: study is missing")
    (tmp_path / "config.yaml").write_text("study: a\nstudy: b\n", encoding="utf-8")
    one_line(call("report", cwd=tmp_path), "config.yaml: ")
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_bad_configuration_is_reported_without_what_snakemake_says_of_itself(project):
    text = (project / "config.yaml").read_text(encoding="utf-8")
    (project / "config.yaml").write_text(text.replace("optimizer: Adam", "optimizer: adam"), encoding="utf-8")
    done = call("run", cwd=project)
    assert done.returncode == 1
    first, last = done.stderr.splitlines()
    assert first.startswith("config: runs.1.optimizer: 'adam' is not allowed: must be one of ")
    assert first.endswith("; did you mean Adam?")
    assert re.fullmatch(r"idescent run: study first failed: see \.snakemake/idescent/first-\S+\.log", last)


@pytest.mark.workflow
def test_a_failed_job_is_reported_with_its_log_and_without_a_traceback(project):
    text = (project / "my_objective.py").read_text(encoding="utf-8")
    broken = text.replace(
        "return np.asarray(self.curvatures * theta**3)", "raise ValueError('no such slope')"
    )
    (project / "my_objective.py").write_text(broken, encoding="utf-8")
    done = call("run", "--cores", "1", cwd=project)
    assert done.returncode == 1
    assert re.search(r"^Error in rule (simulate|solve):", done.stderr, re.MULTILINE)
    assert "no such slope" in done.stderr
    assert "Traceback" not in done.stderr
    log = re.search(r"failed: see (\S+)", done.stderr)[1]
    assert "no such slope" in (project / log).read_text(encoding="utf-8")
    assert not (project / "results/first/report.html").exists()


def wait_for(path, process):
    for _ in range(600):
        if path.exists():
            return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError(f"{path} was not created")


@pytest.mark.workflow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_study_and_all_its_jobs(number, status, endless):
    process = subprocess.Popen(
        [*IDESCENT, "run", "--cores", "1"],
        cwd=endless,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(endless / "started", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in err
    # The kernel releases the lock of the jobs with the last process.
    done = call("run", "--dry-run", cwd=endless)
    assert done.returncode == 0, done.stderr
    folders = [str(p.readlink()) for p in Path("/proc").glob("[0-9]*/cwd") if os.access(p, os.R_OK)]
    assert str(endless) not in folders


@pytest.mark.workflow
def test_the_progress_is_one_line_on_a_terminal(project):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.execv(sys.executable, [*IDESCENT, "run", "--cores", "2"])
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = shown.decode()
    line, _, rest = text.partition("\r\033[Kfirst: 14 of 14 jobs\r\n")
    assert "\n" not in line
    assert re.search(r"\r\033\[Kfirst: \d+ of 14 jobs, about \d+ s left", line)
    assert "Study first" in rest


def test_studies_of_the_package_run_elsewhere_with_their_modules_and_claims(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("odd", "zoo", "paper"):
        done = call("run", name, "--dry-run", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "This was a dry-run" in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {".snakemake"}
    claims = re.search(
        r"^claims: (\S+)$", studies.find("paper").file.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert (tmp_path / claims[1]).is_file()


def test_a_configuration_of_the_current_folder_comes_before_one_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert studies.find("smoke").search == tmp_path / ".snakemake/idescent/study"
    (tmp_path / "config").mkdir()
    (tmp_path / "config/smoke.yaml").write_text("study: mine\n", encoding="utf-8")
    assert studies.find("smoke") == studies.Configuration(Path("config/smoke.yaml"))
    assert studies.find("smoke").results == Path("results/mine")


def test_a_profile_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (Path(studies.profile("slurm")) / "config.yaml").is_file()
    assert studies.profile("unknown") == "unknown"
    (tmp_path / "profiles/slurm").mkdir(parents=True)
    assert studies.profile("slurm") == "profiles/slurm"


@pytest.mark.parametrize(
    ("words", "config", "more"),
    [
        ([], "", []),
        (["smoke", "--forcerun", "simulate"], "smoke", ["--forcerun", "simulate"]),
        (["--forcerun", "simulate"], "", ["--forcerun", "simulate"]),
        (["smoke", "-c", "2", "-n", "--config", "study=a"], "smoke", ["-n", "--config", "study=a"]),
        (["--cores", "2", "--", "-R", "solve"], "", ["-R", "solve"]),
    ],
)
def test_unknown_options_go_to_snakemake(words, config, more, monkeypatch):
    from idescent.cli import run

    seen = []
    monkeypatch.setattr(run, "run", lambda options: seen.append((options.config, options.more)))
    cli.main(["run", *words])
    assert seen == [(config, more)]


def test_everything_that_is_listed_can_be_named(capsys):
    assert cli.main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert tuple(listed) == KINDS
    for kind in ("optimizers", "models", "objectives", "schedules", "solvers"):
        for name in listed[kind]:
            assert registry.resolve(kind.removesuffix("s"), name).__name__ == name
    assert list(listed["products"]) == [product.name for product in PRODUCTS]
    assert {"paper", "smoke", "scaling"} <= set(listed["studies"])
    texts = [text for names in listed.values() for text in names.values()]
    assert all(texts)
    assert not any(":math:" in text or "``" in text for text in texts)


LOG = """\
Job stats:
job         count
--------  -------
all             1
simulate        2
solve           4
total           7

Job 1: run
Job 2: solve
Finished jobid: 1 (Rule: simulate)
"""


def test_the_time_left_follows_from_the_mean_time_of_each_rule():
    follower = Follower()
    assert follower.text(0.0) == "preparing"
    for line in LOG.splitlines()[:-1]:
        follower.feed(line, 10.0)
    assert follower.text(10.0) == "0 of 6 jobs"
    follower.feed("Finished jobid: 1 (Rule: simulate)", 12.0)
    # One simulation and four solutions, of which none has finished: two seconds each, one after the other.
    assert follower.left(12.0) == pytest.approx(10.0)
    follower.feed("Finished jobid: 2 (Rule: solve)", 20.0)
    # 2 s + 3 * 10 s of work; so far 12 s of work took 10 s.
    assert follower.left(20.0) == pytest.approx(32.0 * 10.0 / 12.0)
    assert follower.text(20.0) == "2 of 6 jobs, about 27 s left"
    assert follower.feed("warning: no compiled kernels", 20.0) == "warning: no compiled kernels"
    assert [duration(x) for x in (0.2, 59.0, 61.0, 7200.0)] == ["1 s", "59 s", "1 min", "2.0 h"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("s", {"simulate", "solve", "show"}),
        ("j", set()),
        ("solve Ha", {"HalfStep"}),
        ("simulate Adam --sch", {"--schedule", "--schedule-set"}),
        ("simulate Adam --accumulator ", {"coordinate", "norm"}),
        ("list pro", {"products"}),
        ("run smo", {"smoke"}),
        ("info mine", {"mine_cli.py"}),
    ],
)
def test_fish_completes_commands_options_classes_and_files(typed, expected, folder, capsys):
    with pytest.raises(SystemExit):
        cli.main(["--print-completion", "fish"])
    (folder / "idescent.fish").write_text(capsys.readouterr().out, encoding="utf-8")
    program = f"source idescent.fish; complete -C 'idescent {typed}'"
    done = subprocess.run(["fish", "-N", "-c", program], capture_output=True, text=True, check=True)
    assert {line.partition("\t")[0] for line in done.stdout.splitlines()} == expected
    assert done.stderr == ""


def test_the_script_for_fish_has_every_option_of_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--print-completion", "fish"])
    lines = capsys.readouterr().out.splitlines()
    for name, command in cli.parser(*cli.COMMANDS)._subparsers._group_actions[0].choices.items():
        for option in () if name == "job" else command._option_string_actions:
            flag = f"-l {option[2:]} " if option.startswith("--") else f"-s {option[1:]} "
            assert any(f"_from {name}'" in line and flag in f"{line} " for line in lines), (name, option)
