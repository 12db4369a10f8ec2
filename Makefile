# Everything a developer or CI needs, in one place. All of it rests on `make env`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STORE  ?= embedded

.PHONY: env compiled pure test faults fuzz check demo bench bench-micro lock clean

env: $(VENV)/.stamp  ## .venv with the locked dependencies and the tensec command

$(VENV)/.stamp: requirements.lock pyproject.toml setup.py protocol/native.pyx gateway/store/native.pyx
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tensec needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -c 'from importlib.util import find_spec as found; print("codec:", "compiled" if found("protocol.native") else "in Python, for nothing could be compiled; with a C compiler and the headers of Python: make clean env")'
	touch $@

compiled: env  ## the modules on the messages' path made C, beside their sources: a fifth less CPU at full load; after a change, once more
	@$(MAKE) -s pure
	TENSEC_COMPILE=1 $(BIN)/python setup.py -q build_ext --inplace -j $$(nproc)

pure:  ## back to Python, for work on it
	find protocol routing gateway -name '*.so' ! -name 'native.*' -delete
	rm -f gateway/compiled.json

test: env  ## the whole suite, a process for each CPU, as most tests wait for others
	$(BIN)/python -m pytest -n logical --dist loadscope

faults: export FAULTS_ROUNDS ?= 20
faults: env  ## kills, stops and broken lines for long; FAULTS_ROUNDS=n says how long, FAULTS_SEED=n replays
	$(BIN)/python -m pytest tests/faults -m faults -v --timeout 3600

fuzz: export FUZZ_S ?= 600
fuzz: env  ## the API against its own OpenAPI document for long; FUZZ_S=seconds says how long, FUZZ_SEED=n replays
	$(BIN)/python -m pytest tests/e2e/test_api_schema.py -v -s --timeout 0

check: env  ## style, types, structure
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_structure.py

demo: env  ## gateway + two simulated carriers + a client, then a summary; STORE=embedded, redis or memory
	$(BIN)/python -m bench demo --store $(STORE)

bench: compiled  ## every figure worth keeping, against the newest in bench/results and the targets; about ten minutes
	$(BIN)/python -m bench suite

bench-micro: compiled  ## microseconds of CPU: PDUs of the hot path, messages in the stores, decisions, what the loop carries
	$(BIN)/python -m bench.micro.codec
	$(BIN)/python -m bench.micro.store
	$(BIN)/python -m bench.micro.policy
	$(BIN)/python -m bench.micro.loop
	$(BIN)/python -m bench.micro.figures

lock:  ## rewrite requirements.lock from pyproject.toml (needs uv on PATH)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev pyproject.toml -o requirements.lock

clean: pure
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build protocol/native.c protocol/native.*.so
