from diffeo import Target


class Bowl(Target):
    """log p = -|theta|^2 / 2; theta ``(*B, 3)``."""

    def __init__(self, config):
        super().__init__((3,))

    def log_prob(self, theta):
        return -0.5 * theta.square().sum(-1)


class Pooled(Bowl):
    """log p = -|theta|^2 / 2 and a term of the other rows; theta ``(*B, 3)``."""

    def log_prob(self, theta):
        return super().log_prob(theta) + theta.mean()


class Detached(Bowl):
    """log p = -|theta|^2 / 2, with half of its gradient; theta ``(*B, 3)``."""

    def log_prob(self, theta):
        return -0.5 * (theta * theta.detach()).sum(-1)
