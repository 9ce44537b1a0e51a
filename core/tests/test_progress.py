import io

from diffeo.progress import SECONDS_BETWEEN_LINES, ProgressBar


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_away_from_a_terminal_lines_come_now_and_then():
    stream, clock = io.StringIO(), Clock()
    with ProgressBar(1000, stream=stream, clock=clock) as bar:
        for step in range(1, 321):
            clock.now += 0.125
            bar.update(step, {"loss": 2.5, "bits_per_dim": 3.25, "steps_per_second": 10.0} if step % 20 == 0 else None)
    lines = stream.getvalue().splitlines()
    assert len(lines) == int(40 / SECONDS_BETWEEN_LINES)
    assert lines[0] == "training: step 80/1000  loss 2.5  3.250 bits/dim  10 steps/s  1:55 left"
    assert "\x1b" not in stream.getvalue()


def test_the_last_step_is_always_told():
    stream, clock = io.StringIO(), Clock()
    with ProgressBar(3, stream=stream, clock=clock) as bar:
        bar.update(3, {"loss": float("nan"), "val/bits_per_dim": 4.0})
    assert stream.getvalue() == "training: step 3/3  (validation 4.000)\n"


def test_time_left_of_a_resumed_run_counts_its_own_steps():
    stream, clock = io.StringIO(), Clock()
    with ProgressBar(8200, start=1000, stream=stream, clock=clock) as bar:
        clock.now += 20
        bar.update(1010)
    assert stream.getvalue() == "training: step 1010/8200  3:59:40 left\n"


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    with ProgressBar(10, start=2, stream=stream) as bar:
        bar.update(5, {"loss": 1.25, "steps_per_second": 40.0})
    assert "5/10" in stream.getvalue()
    assert "loss 1.25  40 steps/s" in stream.getvalue()


def test_nothing_is_shown_where_nothing_is_wanted():
    for stream in (io.StringIO(), Terminal()):
        with ProgressBar(3, stream=stream, enabled=False) as bar:
            bar.update(3, {"loss": 1.0})
        assert stream.getvalue() == ""
