"""Proximal policy optimisation in one file that reads from top to bottom.

It works on any gymnasium ``VectorEnv`` with Box observations and Box actions, in either autoreset
mode. What it does that is easy to get wrong:

* A time limit is not the end of the game: where a game was truncated, the value of its *last*
  observation stands for the rest of it; only a termination is worth nothing.
* With next-step autoreset, the step that restarts a game ignores its action: no experience.
* The observation statistics change only between iterations, so that the probabilities which the
  ratio compares come from the same inputs; and nothing is clipped, so that they fold exactly into
  the first layer (:meth:`Policy.layers`).

Sources: Schulman et al. 2017, "Proximal Policy Optimization Algorithms"; Schulman et al. 2016,
"High-Dimensional Continuous Control Using Generalized Advantage Estimation"; Pardo et al. 2018,
"Time Limits in Reinforcement Learning".
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

Floats = npt.NDArray[np.floating[Any]]
Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

CHECKPOINT_VERSION = 1


# ----------------------------------------------------------------------------------------- settings
@dataclass(frozen=True)
class PPOConfig:
    """Everything that a run depends on, besides the environment.

    Attributes
    ----------
    seed
        Of the environment, the weights, the actions and the minibatches.
    iterations
        Rollout and update, this many times.
    rollout_steps
        Steps of every environment in one rollout.
    epochs, minibatches
        Passes over a rollout, and gradient steps in each.
    learning_rate, learning_rate_end
        Of Adam; linear over the iterations.
    gamma, gae_lambda
        Discount of rewards and of advantages, per step.
    clip
        How far the probability ratio may gain.
    entropy, entropy_end
        Bonus for a wide policy; linear over the iterations.
    max_gradient_norm
        Gradients longer than this are shortened to it.
    target_kl
        An update ends early once the policy has moved by more than this in a minibatch [nats].
    hidden
        Widths of the ReLU layers, of the actor and of the critic.
    initial_action
        What the untrained policy does, one number per dimension of the action space; None is the
        middle of the space.
    initial_spread
        Its standard deviation, in half widths of the action space.

    Raises
    ------
    ValueError
        When a setting is out of its bounds; it names key, bound and value.
    """

    seed: int = 0
    iterations: int = 100
    rollout_steps: int = 64
    epochs: int = 4
    minibatches: int = 8
    learning_rate: float = 1e-3
    learning_rate_end: float = 1e-4
    gamma: float = 0.98
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.0
    entropy_end: float = 0.0
    max_gradient_norm: float = 0.5
    target_kl: float = 0.05
    hidden: tuple[int, ...] = (64, 64)
    initial_action: tuple[float, ...] | None = None
    initial_spread: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        for name, low, high in (
            ("seed", 0, 2**32 - 1),
            ("iterations", 1, math.inf),
            ("rollout_steps", 1, math.inf),
            ("epochs", 1, math.inf),
            ("minibatches", 1, math.inf),
            ("learning_rate", 0, math.inf),
            ("learning_rate_end", 0, math.inf),
            ("gamma", 0, 1),
            ("gae_lambda", 0, 1),
            ("clip", 1e-6, 1),
            ("max_gradient_norm", 1e-6, math.inf),
            ("target_kl", 1e-6, math.inf),
            ("initial_spread", 1e-6, math.inf),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], is {value}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1, is {self.hidden}")


@dataclass(frozen=True)
class Progress:
    """What one iteration brought.

    Attributes
    ----------
    iteration, iterations
        Done so far, and in all.
    steps
        Environment steps so far.
    reward
        Mean reward per environment step in this iteration's rollout, with exploration.
    spread
        Mean standard deviation of the actions, in half widths of the action space.
    kl
        How far the policy moved [nats].
    explained
        Share of the variance of returns that the critic explains.
    seconds
        Since training began, resumed runs included.
    """

    iteration: int
    iterations: int
    steps: int
    reward: float
    spread: float
    kl: float
    explained: float
    seconds: float


# ----------------------------------------------------------------------------------------- networks
class RunningNorm(nn.Module):
    """Mean and variance of all vectors seen so far; scales to mean 0 and variance 1."""

    # A feature that hardly moves would be blown up by its own noise: this is the least variance.
    LEAST = 1e-8

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, batch: Tensor) -> None:
        """Add vectors, shape (n, size), by Chan's parallel formula."""
        variance, mean = torch.var_mean(batch.double(), dim=0, unbiased=False)
        total = self.count + len(batch)
        share = len(batch) / total
        delta = mean - self.mean.double()
        new_variance = (
            self.variance.double() * (1 - share) + variance * share + delta**2 * share * (1 - share)
        )
        self.mean.copy_(self.mean.double() + delta * share)
        self.variance.copy_(new_variance)
        self.count.copy_(total)

    def scale(self) -> Tensor:
        """What to multiply by, shape (size,)."""
        return torch.rsqrt(self.variance + self.LEAST)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, shape (..., size)."""
        return (x - self.mean) * self.scale()


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int, last_gain: float) -> nn.Sequential:
    """ReLU layers with orthogonal weights; the last layer is linear and starts with `last_gain`."""
    modules: list[nn.Module] = []
    for width in hidden:
        modules += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    modules.append(nn.Linear(inputs, outputs))
    for module in modules[:-1]:
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight, math.sqrt(2))
            nn.init.zeros_(module.bias)
    last = modules[-1]
    assert isinstance(last, nn.Linear)  # noqa: S101  # Just made.
    nn.init.orthogonal_(last.weight, last_gain)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*modules)


class Policy(nn.Module):
    """Observations to actions: a normal distribution around a ReLU network's output.

    The network speaks in units of the action space: -1 is its low end, 1 its high end.

    Parameters
    ----------
    observation_space, action_space
        Of one environment; flat boxes, the actions bounded.
    hidden
        Widths of the ReLU layers.
    initial_action, initial_spread
        As in :class:`PPOConfig`.

    Raises
    ------
    ValueError
        When the spaces are no flat boxes, or `initial_action` does not fit.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        hidden: tuple[int, ...],
        initial_action: tuple[float, ...] | None = None,
        initial_spread: float = 0.5,
    ) -> None:
        super().__init__()
        for name, space in (("observation", observation_space), ("action", action_space)):
            if not isinstance(space, Box) or len(space.shape) != 1:
                raise ValueError(f"the {name} space must be a flat Box, is {space}")
        assert isinstance(action_space, Box)  # noqa: S101  # For the type checker.
        assert isinstance(observation_space, Box)  # noqa: S101
        if not action_space.is_bounded():
            raise ValueError(f"the action space must be bounded, is {action_space}")
        size = action_space.shape[0]
        self.register_buffer("low", torch.as_tensor(action_space.low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(action_space.high, dtype=torch.float32))
        self.norm = RunningNorm(observation_space.shape[0])
        self.network = mlp(observation_space.shape[0], hidden, size, last_gain=0.01)
        self.log_spread = nn.Parameter(torch.full((size,), math.log(initial_spread)))
        if initial_action is not None:
            wanted = torch.tensor(initial_action, dtype=torch.float32)
            if wanted.shape != (size,):
                raise ValueError(
                    f"initial_action must have {size} numbers, one per action, is {initial_action}"
                )
            last = self.network[-1]
            assert isinstance(last, nn.Linear)  # noqa: S101
            with torch.no_grad():
                last.bias.copy_(2 * (wanted - self.low) / (self.high - self.low) - 1)

    def forward(self, normalised: Tensor) -> torch.distributions.Normal:
        """Distribution of the action in network units, from normalised observations."""
        return torch.distributions.Normal(
            self.network(normalised), self.log_spread.exp(), validate_args=False
        )

    def to_environment(self, units: Tensor) -> Tensor:
        """Action in the environment's units, clipped to its space, shape (N, actions)."""
        return self.low + (units.clamp(-1, 1) + 1) / 2 * (self.high - self.low)

    @torch.no_grad()
    def act(self, observation: Floats) -> npt.NDArray[np.float32]:
        """Greedy action, shape (N, actions), for observations of shape (N, features)."""
        x = torch.as_tensor(observation, dtype=torch.float32, device=self.low.device)
        action: npt.NDArray[np.float32] = (
            self.to_environment(self.network(self.norm(x))).cpu().numpy()
        )
        return action

    @torch.no_grad()
    def layers(self) -> list[Layer]:
        """Greedy policy as plain numpy layers: ReLU between them, then clip to the action space.

        The normalisation is folded into the first layer and the action's units into the last, in
        double precision, so ``x @ weight + bias`` takes raw observations and gives actions.

        Returns
        -------
        list of (weight, bias)
            Shapes (inputs, outputs) and (outputs,), float32.
        """
        linear = [module for module in self.network if isinstance(module, nn.Linear)]
        weights = [module.weight.detach().double().cpu().numpy().T for module in linear]
        biases = [module.bias.detach().double().cpu().numpy() for module in linear]
        scale = self.norm.scale().double().cpu().numpy()
        biases[0] = biases[0] - (self.norm.mean.double().cpu().numpy() * scale) @ weights[0]
        weights[0] = weights[0] * scale[:, None]
        low, high = self.low.double().cpu().numpy(), self.high.double().cpu().numpy()
        weights[-1] = weights[-1] * (high - low) / 2
        biases[-1] = low + (biases[-1] + 1) / 2 * (high - low)
        return [
            (weight.astype(np.float32), bias.astype(np.float32))
            for weight, bias in zip(weights, biases, strict=True)
        ]


class RewardScale:
    """Divides rewards by the running deviation of their discounted sum, so that it is about 1."""

    def __init__(self, num_envs: int, gamma: float) -> None:
        self._gamma = gamma
        self._sums = np.zeros(num_envs)
        self.norm = RunningNorm(1)

    def restart(self) -> None:
        """All games start anew; what was learned of their scale stays."""
        self._sums[:] = 0.0

    def observe(self, reward: Floats, done: npt.NDArray[np.bool_]) -> None:
        """Take one step's rewards, shape (N,), into account."""
        self._sums = self._sums * self._gamma + reward
        self.norm.update(torch.as_tensor(self._sums)[:, None])
        self._sums[done] = 0.0

    def factor(self) -> float:
        """What to multiply rewards by."""
        return float(self.norm.scale())


# --------------------------------------------------------------------------------------- experience
@dataclass
class Rollout:
    """T steps of N environments; tensors of shape (T, N, ...).

    Attributes
    ----------
    observation, action, log_probability, reward
        What was seen, done (in network units), how likely it was, and what it brought.
    next_observation
        What followed: where a game ended its last observation, never that of the next game.
    terminated, done
        Whether the game was over for good; whether it was over or truncated.
    valid
        False for steps that only restarted a game.
    """

    observation: Tensor
    action: Tensor
    log_probability: Tensor
    reward: Tensor
    next_observation: Tensor
    terminated: Tensor
    done: Tensor
    valid: Tensor


def advantages(  # The tensors are explained together.
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    done: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimates, shape (T, N).

    Parameters
    ----------
    reward, value, next_value, terminated, done
        Shape (T, N). `next_value` is the value of what followed, in the same game: it counts unless
        the game terminated. `done` (terminated or truncated) ends the sum over later steps.
    gamma, gae_lambda
        Discounts per step.
    """
    delta = reward + gamma * next_value * (1 - terminated) - value
    carry = gamma * gae_lambda * (1 - done)
    estimates = torch.empty_like(delta)
    ahead = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        ahead = delta[t] + carry[t] * ahead
        estimates[t] = ahead
    return estimates


# ------------------------------------------------------------------------------------------ learner
class PPO:
    """Learner: make it, call :meth:`train`, take :attr:`policy`.

    Parameters
    ----------
    envs
        Vector environment with flat Box observations and bounded flat Box actions.
    config
        Settings.
    device
        Where torch computes.

    Raises
    ------
    ValueError
        When the environment's spaces or its autoreset mode do not fit.
    """

    def __init__(
        self, envs: VectorEnv[Any, Any, Any], config: PPOConfig, device: str = "cpu"
    ) -> None:
        mode = envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            raise ValueError(f"autoreset_mode must be NEXT_STEP or SAME_STEP, is {mode}")
        self._same_step = mode == AutoresetMode.SAME_STEP
        self.envs = envs
        self.config = config
        self.device = torch.device(device)
        self._random = torch.Generator(self.device).manual_seed(config.seed)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.policy = Policy(
                envs.single_observation_space,
                envs.single_action_space,
                config.hidden,
                config.initial_action,
                config.initial_spread,
            ).to(self.device)
            inputs = self.policy.norm.mean.shape[0]
            self.critic = mlp(inputs, config.hidden, 1, last_gain=1.0).to(self.device)
        self._actor_parameters = [*self.policy.network.parameters(), self.policy.log_spread]
        self.optimiser = torch.optim.Adam(
            [*self._actor_parameters, *self.critic.parameters()], lr=config.learning_rate, eps=1e-5
        )
        self.reward_scale = RewardScale(envs.num_envs, config.gamma)
        self.iteration = 0
        self.history: list[Progress] = []
        self._observation: Tensor | None = None

    # ------------------------------------------------------------------------------------- training
    def train(self, callback: Callable[[Progress], None] | None = None) -> list[Progress]:
        """Run the iterations that are left; `callback` hears of each.

        Returns
        -------
        list of Progress
            One per iteration, those before a checkpoint included.
        """
        before = self.history[-1].seconds if self.history else 0.0
        began = time.monotonic()
        self._restart()
        while self.iteration < self.config.iterations:
            progress = self._iterate(lambda: before + time.monotonic() - began)
            if callback:
                callback(progress)
        return self.history

    def _restart(self) -> None:
        """Start all games; a fresh learner plays one rollout to see what observations are like."""
        # A resumed run does not play the games of the first iterations once more.
        observation, _ = self.envs.reset(seed=self.config.seed + 2**32 * self.iteration)
        self._observation = self._tensor(observation)
        self.reward_scale.restart()
        self._ended = torch.zeros(self.envs.num_envs, dtype=torch.bool, device=self.device)
        if not self.policy.norm.count:
            rollout = self._collect()
            self.policy.norm.update(rollout.observation[rollout.valid])

    def _iterate(self, seconds: Callable[[], float]) -> Progress:
        left = 1 - self.iteration / self.config.iterations
        c = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = c.learning_rate_end + left * (c.learning_rate - c.learning_rate_end)
        rollout = self._collect()
        kl, explained = self._update(rollout, c.entropy_end + left * (c.entropy - c.entropy_end))
        self.policy.norm.update(rollout.observation[rollout.valid])
        self.iteration += 1
        progress = Progress(
            iteration=self.iteration,
            iterations=c.iterations,
            steps=self.iteration * rollout.valid.numel(),
            reward=float(rollout.reward[rollout.valid].mean()),
            spread=float(self.policy.log_spread.detach().exp().mean()),
            kl=kl,
            explained=explained,
            seconds=seconds(),
        )
        self.history.append(progress)
        return progress

    @torch.no_grad()
    def _collect(self) -> Rollout:
        """Play `rollout_steps` steps with exploration."""
        steps = []
        for _ in range(self.config.rollout_steps):
            observation, restarting = self._observation, self._ended
            assert observation is not None  # noqa: S101  # Set by _restart.
            distribution = self.policy(self.policy.norm(observation))
            mean, spread = distribution.mean, distribution.stddev
            noise = torch.randn(mean.shape, generator=self._random, device=self.device)
            action = mean + spread * noise
            played = self.policy.to_environment(action).cpu().numpy()
            following, reward, terminated, truncated, info = self.envs.step(played)
            done = terminated | truncated
            self.reward_scale.observe(reward, done)
            self._observation = last = self._tensor(following)
            if self._same_step:
                last = self._with_final(last, done, info)
            else:
                self._ended = torch.as_tensor(done, device=self.device)
            steps.append(
                Rollout(
                    observation=observation,
                    action=action,
                    log_probability=distribution.log_prob(action).sum(-1),
                    reward=self._tensor(reward),
                    next_observation=last,
                    terminated=self._tensor(terminated),
                    done=self._tensor(done),
                    valid=~restarting,
                )
            )
        return Rollout(
            **{f.name: torch.stack([getattr(s, f.name) for s in steps]) for f in fields(Rollout)}
        )

    def _with_final(
        self, following: Tensor, done: npt.NDArray[np.bool_], info: dict[str, Any]
    ) -> Tensor:
        """Undo same-step autoreset: put the last observations of ended games back."""
        if not done.any():
            return following
        final = following.clone()
        final[torch.as_tensor(done)] = self._tensor(np.stack(info["final_obs"][done]))
        return final

    def _update(self, rollout: Rollout, entropy_bonus: float) -> tuple[float, float]:
        """Improve both networks; returns how far the actor moved and what the critic knew."""
        c = self.config
        normalised = self.policy.norm(rollout.observation)
        with torch.no_grad():
            value = self.critic(normalised).squeeze(-1)
            next_value = self.critic(self.policy.norm(rollout.next_observation)).squeeze(-1)
            advantage = advantages(
                rollout.reward * self.reward_scale.factor(),
                value,
                next_value,
                rollout.terminated,
                rollout.done,
                gamma=c.gamma,
                gae_lambda=c.gae_lambda,
            )
        valid = rollout.valid
        target = (advantage + value)[valid]
        explained = 1 - float((target - value[valid]).var() / (target.var() + 1e-8))
        advantage = advantage[valid]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        observation, action = normalised[valid], rollout.action[valid]
        log_probability = rollout.log_probability[valid]
        kl = 0.0
        for rows in self._minibatches(len(target)):
            distribution = self.policy(observation[rows])
            log_ratio = distribution.log_prob(action[rows]).sum(-1) - log_probability[rows]
            ratio = log_ratio.exp()
            gain = advantage[rows]
            surrogate = torch.min(ratio * gain, ratio.clamp(1 - c.clip, 1 + c.clip) * gain)
            error = self.critic(observation[rows]).squeeze(-1) - target[rows]
            entropy = distribution.entropy().sum(-1).mean()
            loss = -surrogate.mean() + 0.5 * error.square().mean() - entropy_bonus * entropy
            self.optimiser.zero_grad()
            loss.backward()
            # Apart, so that a surprised critic does not hold the actor back.
            for network in (self._actor_parameters, self.critic.parameters()):
                nn.utils.clip_grad_norm_(network, c.max_gradient_norm)
            self.optimiser.step()
            # Schulman's low-variance estimate of the divergence, "Approximating KL divergence".
            kl = float((ratio.detach() - 1 - log_ratio.detach()).mean())
            if kl > c.target_kl:
                break
        return kl, explained

    def _minibatches(self, size: int) -> Iterator[Tensor]:
        """Rows in random order, in `minibatches` parts, `epochs` times."""
        for _ in range(self.config.epochs):
            order = torch.randperm(size, generator=self._random, device=self.device)
            yield from order.chunk(self.config.minibatches)

    def _tensor(self, array: npt.ArrayLike) -> Tensor:
        return torch.as_tensor(np.asarray(array), dtype=torch.float32).to(self.device)

    # ---------------------------------------------------------------------------------- checkpoints
    def save(self, path: Path) -> None:
        """Write all that :meth:`load` needs to go on; a reader never sees half a file."""
        partial = path.with_name(path.name + ".partial")
        torch.save(
            {
                "version": CHECKPOINT_VERSION,
                "config": asdict(self.config),
                "policy": self.policy.state_dict(),
                "critic": self.critic.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "reward_norm": self.reward_scale.norm.state_dict(),
                "random": self._random.get_state(),
                "iteration": self.iteration,
                "history": [asdict(progress) for progress in self.history],
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint, with the same kind of environment and network.

        The weights, the optimiser, the statistics and the random state go on as they were; games
        that were under way when it was written start anew.

        Raises
        ------
        ValueError
            When it is of another version or another shape.
        """
        saved = read_checkpoint(path, self.device)
        try:
            self.policy.load_state_dict(saved["policy"])
            self.critic.load_state_dict(saved["critic"])
            self.optimiser.load_state_dict(saved["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path} does not fit this environment: {error}") from error
        self.reward_scale.norm.load_state_dict(saved["reward_norm"])
        self._random.set_state(saved["random"].cpu())
        self.iteration = saved["iteration"]
        self.history = [Progress(**progress) for progress in saved["history"]]


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values, never code.

    Raises
    ------
    ValueError
        When it is of another version.
    """
    saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if saved.get("version") != CHECKPOINT_VERSION:
        raise ValueError(
            f"version of {path} must be {CHECKPOINT_VERSION}, is {saved.get('version')}"
        )
    return saved


def load_policy(path: Path, envs: VectorEnv[Any, Any, Any], device: str = "cpu") -> Policy:
    """Read the policy alone from a checkpoint, for an environment with the same spaces.

    Raises
    ------
    ValueError
        When it does not fit the environment.
    """
    saved = read_checkpoint(path, device)
    policy = Policy(
        envs.single_observation_space, envs.single_action_space, tuple(saved["config"]["hidden"])
    )
    try:
        policy.load_state_dict(saved["policy"])
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit this environment: {error}") from error
    return policy.to(device)
