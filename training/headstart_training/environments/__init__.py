"""Games as registered gymnasium environments; importing this package registers them.

To add one, write its scalar and vector classes beside `seed_game.py` and add a line to `_GAMES`.
Entry points are strings, so that registering costs nothing until an environment is made.
"""

import gymnasium

_GAMES = {
    "headstart/Kubernetes-v0": (
        "headstart_training.environments.kubernetes:KubernetesEnv",
        "headstart_training.environments.kubernetes:KubernetesVectorEnv",
    ),
    "headstart/SeedGame-v0": (
        "headstart_training.environments.seed_game:SeedGameEnv",
        "headstart_training.environments.seed_game:SeedGameVectorEnv",
    ),
}


def register() -> None:
    """Make every game known to gymnasium; harmless when done twice."""
    for name, (entry_point, vector_entry_point) in _GAMES.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point=entry_point,
                vector_entry_point=vector_entry_point,
                # The game truncates itself, since its length is one of its rules.
                max_episode_steps=None,
            )


register()
