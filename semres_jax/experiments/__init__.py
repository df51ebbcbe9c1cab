"""Studies, each with its table and summary: laws against simulation, and networks laid over the laws."""

from semres_jax._lazy import submodules

__getattr__, __dir__ = submodules(__name__)
