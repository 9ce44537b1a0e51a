import torch


class Rolling(torch.optim.Optimizer):
    """Gradient descent with momentum."""

    def __init__(self, config, parameters):
        super().__init__(parameters, {"lr": 0.01})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(self.rate(group) * self.speed(parameter))

    def rate(self, group):
        return group["lr"]

    def speed(self, parameter):
        state = self.state[parameter]
        state["speed"] = 0.5 * state.get("speed", 0) + parameter.grad
        return state["speed"]


class Stubborn(Rolling):
    """Takes its first learning rate for ever."""

    def rate(self, group):
        return 0.01


class Forgetful(Rolling):
    """Keeps its speeds where nobody saves them."""

    def __init__(self, config, parameters):
        super().__init__(config, parameters)
        self.speeds = {}

    def speed(self, parameter):
        self.speeds[parameter] = 0.5 * self.speeds.get(parameter, 0) + parameter.grad
        return self.speeds[parameter]
