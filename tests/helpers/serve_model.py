"""A real language model behind an OpenAI-compatible endpoint, as a process: serve_model.py FILE PORT."""

import sys
import time

from xllamacpp import CommonParams, Server

parameters = CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.n_ctx = 4096
parameters.n_parallel = 1
parameters.cpuparams.n_threads = 1
server = Server(parameters)
print("ready", flush=True)
while True:
    time.sleep(1)
