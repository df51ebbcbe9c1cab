"""llama.cpp's server on a port of loopback, until standard input ends: python llama_server.py MODEL PORT.

Numbers of its cache are float32, so that it computes what others do; it prints a line once it listens.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def running(model: Path) -> Iterator[str]:
    """The URL of a server of a model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, __file__, str(model), str(port)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            while line := server.stdout.readline():
                if line.startswith(b"listening"):
                    break
            else:
                assert server.stderr is not None
                raise RuntimeError(f"llama.cpp's server ended: {server.stderr.read()[-500:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stdin.close()
            server.kill()


def main() -> None:
    import xllamacpp

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # its log, which nobody reads
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.warmup = False
    parameters.n_ctx = 512
    parameters.n_parallel = 2
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[2])
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type(0)
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type(0)
    server = xllamacpp.Server(parameters)
    print("listening", server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
