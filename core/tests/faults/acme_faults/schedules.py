from diffeo import Schedule


class Steady(Schedule):
    """1."""

    def __init__(self, config):
        self.calls = 0

    def factor(self, progress):
        return 1.0


class Counting(Steady):
    """Falls with every call, whatever the step."""

    def factor(self, progress):
        self.calls += 1
        return 1 / self.calls


class Plunging(Steady):
    """Below zero near the end of a run."""

    def factor(self, progress):
        return 1 - 2 * progress.step / progress.total
