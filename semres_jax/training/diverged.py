"""What a training raises when its loss is no number any more."""


class Diverged(FloatingPointError):
    """The loss of a run was not finite; the message says at which step and with which settings."""
