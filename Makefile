# Two commands from a bare clone: `make demo` and `make test`. Everything else is listed by `make help`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench-collect bench-emulator bench-ground bench-train bench-gpu ablation soak up apply down status clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## Make the environment (.venv) with the versions that were tested

$(STAMP): pyproject.toml constraints.txt requirements-nodeps.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV): some minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --upgrade -c constraints.txt pip
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[encoders,flows,stack,tensorboard,dev]'
	@$(BIN)/pip install --quiet --no-deps -r requirements-nodeps.txt
	@touch $@

demo: $(STAMP)  ## The whole chain on the emulated world: collect, merge, train, evaluate, report
	@$(BIN)/python -m deployments.stack run $(BIN)/python -m deployments.demo

test: $(STAMP)  ## The test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(STAMP)  ## Lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench-collect: $(STAMP)  ## Images a second of the collector beside a bare loop, requests, google-streetview, img2dataset
	@$(BIN)/python benchmarks/collect.py --with-img2dataset

bench-emulator: $(STAMP)  ## What the emulator answers a second: pictures, repeats, metadata
	@$(BIN)/python benchmarks/emulator.py

bench-ground: $(STAMP)  ## Seconds and memory of planning, merging, labelling, partitioning, validating 1,000,000 points
	@$(BIN)/python benchmarks/ground.py

bench-train: $(STAMP)  ## Training beside a bare loop, ImageFolder, open_clip's trainer; cached features; FAISS
	@$(BIN)/python benchmarks/train.py

bench-gpu: $(STAMP)  ## For the owner of a GPU: ResNet-50 tuned in float32 and bf16, by batch size
	@$(BIN)/python benchmarks/bench_gpu.py

ablation: $(STAMP)  ## What each part of the models gives, on four tasks of the emulated world; up to an hour
	@$(BIN)/python -m benchmarks.ablation

soak: $(STAMP)  ## Break a collection of 20,000 images on purpose: faults, kills, a full disk; some ten minutes
	@$(BIN)/python benchmarks/soak.py

up: $(STAMP)  ## Start the local stack: Prefect server, workers, emulator; prints the UI's address
	@$(BIN)/python -m deployments.stack up

apply: $(STAMP)  ## Apply pools, deployments, schedules and automations again, to the stack that is up
	@$(BIN)/python -m deployments.apply

down: $(STAMP)  ## Stop the local stack
	@$(BIN)/python -m deployments.stack down

status: $(STAMP)  ## Say what of the local stack runs
	@$(BIN)/python -m deployments.stack status

clean:  ## Remove the environment and caches; data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
